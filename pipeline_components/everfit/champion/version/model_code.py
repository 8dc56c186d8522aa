"""Our own source files that a model needs, so that it can be served without Everfit installed."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable

OURS = "everfit"


def source_files(modules: Iterable[str], source: Callable[[str], bytes | None]) -> dict[str, bytes]:
    """The files of those of ``modules`` that are ours, and of all of ours that they import.

    Parameters
    ----------
    source : callable
        Path below the folder that goes on ``sys.path`` → content; None where there is none.

    Returns
    -------
    dict
        Path → content. Empty where the model holds no type of ours.
    """
    waiting = {module for module in modules if module.partition(".")[0] == OURS}
    files: dict[str, bytes] = {}
    seen: set[str] = set()
    while waiting:
        module = waiting.pop()
        if module in seen:
            continue
        seen.add(module)
        base = module.replace(".", "/")
        for path in (f"{base}/__init__.py", f"{base}.py"):
            content = source(path)
            if content is not None:
                files[path] = content
                package = path.endswith("__init__.py")
                waiting |= _imports(content, module, is_package=package)
                waiting |= {parent for parent in [module.rpartition(".")[0]] if parent}
                break
    return {path: files[path] for path in sorted(files)}


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
