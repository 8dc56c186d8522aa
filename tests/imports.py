"""Who imports whom inside a package, read from its source and never run."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

BY_NAME = {"__import__", "exec", "import_module", "iter_modules", "run_module", "walk_packages"}
"""Calls that import, or find what is then imported, by a name that is only known at run time."""


@dataclass(frozen=True)
class Package:
    """The source files of a package: path below it, such as ``ml/model/load.py``, → its module.

    Imports inside functions count, those for the type checker alone do not. A string that names a
    module of the package counts as an import of it: types that are trusted by name, and modules
    that run in a process of their own, are spelled so. A search through a package
    (``pkgutil.iter_modules(package.__path__)``) counts as an import of everything in it.
    """

    root: Path
    name: str
    _trees: dict[str, ast.Module] = field(default_factory=dict, repr=False, compare=False)

    @cached_property
    def modules(self) -> dict[str, str]:
        """Module → path."""
        found = {}
        for path in sorted(self.root.rglob("*.py")):
            parts = path.relative_to(self.root).with_suffix("").parts
            parts = parts[:-1] if parts[-1] == "__init__" else parts
            found[".".join((self.name, *parts))] = path.relative_to(self.root).as_posix()
        return found

    @cached_property
    def imports(self) -> dict[str, set[str]]:
        """Path → paths of what it imports, with the packages that these lie in."""
        return {path: self._imports(path) for path in self.modules.values()}

    @cached_property
    def by_name(self) -> dict[str, set[str]]:
        """Path → the calls in it that import by a name of run time."""
        found = {path: set(_calls(self.tree(path))) & BY_NAME for path in self.modules.values()}
        return {path: calls for path, calls in found.items() if calls}

    def tree(self, path: str) -> ast.Module:
        """The syntax of a file."""
        if path not in self._trees:
            self._trees[path] = ast.parse((self.root / path).read_bytes())
        return self._trees[path]

    def closure(self, start: Iterable[str], enter: Callable[[str], bool]) -> Closure:
        """All that is imported from some files on; what is not entered is named, not followed."""
        closure = Closure()
        todo = [(path, "") for path in sorted(start)]
        while todo:
            path, importer = todo.pop(0)
            if path in closure.importer:
                continue
            closure.importer[path] = importer
            if enter(path):
                closure.entered.add(path)
                todo += [(found, path) for found in sorted(self.imports[path])]
        return closure

    def _imports(self, path: str) -> set[str]:
        names: set[str] = set()
        for node in _run_nodes(self.tree(path)):
            names |= set(self._named(node, path))
        return {self.modules[name] for one in names for name in self._with_parents(one)}

    def _named(self, node: ast.AST, path: str) -> Iterator[str]:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: a relative import is not followed"
            for alias in node.names:
                inside = f"{node.module}.{alias.name}"
                yield inside if inside in self.modules else str(node.module)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from re.findall(rf"\b{self.name}(?:\.\w+)+", node.value)
        elif isinstance(node, ast.Call) and _called(node) in ("iter_modules", "walk_packages"):
            yield from self._searched(node, path)

    def _searched(self, node: ast.Call, path: str) -> Iterator[str]:
        """The modules below the package whose ``__path__`` is searched."""
        where = ast.unparse(node.args[0])
        assert where.endswith("__path__"), f"{path}: it searches {where}"
        searched = f"{self.name}.{path.removesuffix('/__init__.py').replace('/', '.')}"
        if where != "__path__":
            searched = self._imported_as(where.removesuffix(".__path__"), path)
        yield from (name for name in self.modules if name.startswith(f"{searched}."))

    def _imported_as(self, name: str, path: str) -> str:
        for node in ast.walk(self.tree(path)):
            if isinstance(node, ast.ImportFrom | ast.Import):
                for alias in node.names:
                    if name == (alias.asname or alias.name):
                        module = getattr(node, "module", None)
                        return f"{module}.{alias.name}" if module else alias.name
        raise AssertionError(f"{path}: {name} is searched for modules and not imported there")

    def _with_parents(self, name: str) -> Iterator[str]:
        parts = name.split(".")
        yield from (
            found
            for end in range(1, len(parts) + 1)
            if (found := ".".join(parts[:end])) in self.modules
        )


@dataclass
class Closure:
    """What is imported from somewhere on."""

    importer: dict[str, str] = field(default_factory=dict)
    """Path → the path that it was first met in."""
    entered: set[str] = field(default_factory=set)
    """Those whose own imports were followed."""

    def way_to(self, path: str) -> str:
        """``a.py → b.py → c.py``."""
        way = [path]
        while way[0] in self.importer and self.importer[way[0]]:
            way.insert(0, self.importer[way[0]])
        return " → ".join(way)


def _run_nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """Every node but docstrings and what only a type checker reads."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            for other in node.orelse:
                yield from _run_nodes(other)
        elif not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
            yield node
            yield from _run_nodes(node)


def _calls(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield _called(node)


def _called(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def is_bare(tree: ast.Module) -> bool:
    """Whether a file holds a docstring and nothing else."""
    return all(
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) for node in tree.body
    )
