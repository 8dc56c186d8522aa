"""Our own source files that a model needs, so that it can be served without Everfit installed."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from pathlib import Path

import pipeline_components

OURS = "pipeline_components"


def source_files(modules: Iterable[str]) -> dict[str, bytes]:
    """The files of those of ``modules`` that are ours, and of all of ours that they import.

    Returns
    -------
    dict
        Path below the folder that goes on ``sys.path`` → source. Empty where the model holds no
        type of ours.
    """
    root = Path(pipeline_components.__file__).parent
    waiting = {module for module in modules if module.partition(".")[0] == OURS}
    files: dict[Path, bytes] = {}
    seen: set[str] = set()
    while waiting:
        module = waiting.pop()
        if module in seen:
            continue
        seen.add(module)
        path = _file_of(root, module)
        if path is None:
            continue
        parent = module.rpartition(".")[0]
        if parent:
            waiting.add(parent)
        files[path] = path.read_bytes()
        waiting |= _imports(files[path], module, is_package=path.name == "__init__.py")
    return {f"{OURS}/{path.relative_to(root).as_posix()}": files[path] for path in sorted(files)}


def _file_of(root: Path, module: str) -> Path | None:
    base = root.joinpath(*module.split(".")[1:])
    for path in (base / "__init__.py", base.with_suffix(".py")):
        if path.is_file():
            return path
    return None


def _imports(source: bytes, module: str, *, is_package: bool) -> set[str]:
    """Modules of ours that a source names, and names in them, which may be modules too."""
    package = module if is_package else module.rpartition(".")[0]
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*parts, base] if base else parts)
            found |= {base, *(f"{base}.{alias.name}" for alias in node.names)}
    return {name for name in found if name.partition(".")[0] == OURS}
