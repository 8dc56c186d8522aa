"""The parts that Everfit is installed in, and the line that names one that is missing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires
from importlib.util import find_spec
from pathlib import Path

from everfit.contracts.errors import UserError

COMPONENTS = "components"
AIRFLOW = "airflow"
FOR_DEVELOPERS = ("dev", "airflow-dev")
"""Extras of a checkout, which nobody is told to install."""

_MODULES = {
    "apache-airflow": "airflow",
    "psycopg2-binary": "psycopg2",
    "pyyaml": "yaml",
    "scikit-learn": "sklearn",
}
"""Distributions whose module has another name; a test holds the list complete."""


def extras() -> dict[str, tuple[str, ...]]:
    """Extra → the modules it brings, as the installed package says; empty where it is not one."""
    try:
        lines = requires("everfit") or []
    except PackageNotFoundError:
        return {}
    found: dict[str, list[str]] = {}
    for line in lines:
        extra = re.search(r"extra == ['\"]([\w-]+)['\"]", line)
        if extra is not None:
            found.setdefault(extra[1], []).append(module_of(line))
    return {extra: tuple(modules) for extra, modules in found.items()}


def module_of(requirement: str) -> str:
    """The module that a requirement brings: ``SQLAlchemy>=2`` brings ``sqlalchemy``."""
    found = re.match(r"[\w.-]+", requirement)
    name = re.sub(r"[-_.]+", "-", found[0]).lower() if found else ""
    provider = name.removeprefix("apache-airflow-providers-")
    if provider != name:
        return f"airflow.providers.{provider.replace('-', '.')}"
    return _MODULES.get(name, name.replace("-", "_"))


def missing_modules(extra: str) -> list[str]:
    """The modules of an extra that are not installed here; nothing is imported for it."""
    return [name for name in extras().get(extra, ()) if not _is_installed(name)]


def is_installed(extra: str) -> bool:
    """Whether all of an extra is here; true where Everfit itself is not installed as a package."""
    return not missing_modules(extra)


def missing_extra(error: ModuleNotFoundError) -> UserError | None:
    """What to tell a person whose command needs a part that is not installed.

    Returns
    -------
    UserError or None
        None where the module is of no extra: then the error is another one.
    """
    module = error.name or ""
    extra = next(_extras_with(module), None)
    if extra is None:
        return None
    return UserError(
        "MISSING-EXTRA",
        f"everfit[{extra}]",
        "this needs a part of Everfit that is not installed",
        f"there is no module {module}",
        f"Run pip install 'everfit[{extra}]'",
    )


def _extras_with(module: str) -> Iterator[str]:
    for extra, modules in extras().items():
        if extra not in FOR_DEVELOPERS and any(
            f"{module}.".startswith(f"{name}.") for name in modules
        ):
            yield extra


def _is_installed(module: str) -> bool:
    first, *rest = module.split(".")
    found = find_spec(first)  # of what lies below, it would import all that is above
    folders = found.submodule_search_locations or () if found else ()
    return found is not None and (
        not rest or any(Path(folder, *rest).is_dir() for folder in folders)
    )
