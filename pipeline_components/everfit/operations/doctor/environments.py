"""Python, the parts of Everfit that are installed, and the two interpreters a run needs."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Mapping
from functools import cached_property
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path
from typing import Any

from everfit.contracts.errors import shortlist
from everfit.contracts.extras import COMPONENTS, FOR_DEVELOPERS, extras, missing_modules
from everfit.contracts.settings import Settings
from everfit.contracts.version import VERSION
from everfit.contracts.wording import listed
from everfit.operations.doctor.asking import ask
from everfit.operations.doctor.finding import Finding, fails, ok, warning

# What the Airflow side decides is asked of its own code, which this package does not import.
_INTERPRETERS = """
import json, os
from everfit.contracts.errors import EverfitError
from everfit.contracts.settings import Settings
from everfit_airflow.runners.interpreter import component_python
from everfit_launch.configuration import airflow_program
settings, answer = Settings.from_environment(), {}
answer["airflow"] = str(airflow_program(settings))
try:
    answer["components"] = str(component_python(settings.root, os.environ))
except EverfitError as error:
    answer["problem"] = [f"{error.where}: {error.must}; {error.found}", error.todo]
print(json.dumps(answer))
"""

_COMPONENTS = f"""
import json, sys
from everfit.contracts.extras import missing_modules
from everfit.contracts.version import VERSION
missing = missing_modules("{COMPONENTS}")
print(json.dumps({{"everfit": VERSION, "python": sys.version.split()[0], "missing": missing}}))
"""

_AIRFLOW = """
import json, sys
from importlib.metadata import PackageNotFoundError, version
def of(name):
    try:
        return version(name)
    except PackageNotFoundError:
        return None
answer = {"airflow": of("apache-airflow"), "everfit": of("everfit"), "by": None, "problem": None}
if answer["airflow"]:
    from airflow import plugins_manager
    plugins, problems = plugins_manager._get_plugins()
    for plugin in plugins:
        if plugin.name == "everfit":
            answer["by"] = str(plugin.source)
    for source, problem in problems.items():
        if "everfit" in source and "already registered" not in problem:
            answer["problem"] = str(problem)
print(json.dumps(answer))
"""


class Environments:
    """The checks of what is installed.

    Parameters
    ----------
    settings : Settings
    environ : mapping
        The environment of the process.
    """

    def __init__(self, settings: Settings, environ: Mapping[str, str]) -> None:
        self._settings, self._environ = settings, environ

    def python(self) -> Finding:
        """The interpreter that runs the command."""
        return ok("Python", f"{sys.version.split()[0]}, {sys.executable}")

    def parts(self) -> Finding:
        """The extras that are installed beside it."""
        known = [name for name in extras() if name not in FOR_DEVELOPERS]
        if not known:
            return warning(
                "parts",
                "Everfit is not installed as a package here, so its parts cannot be told",
                "Run pip install 'everfit[components]'",
            )
        here = ["base", *(name for name in known if not missing_modules(name))]
        others = [name for name in known if name not in here]
        found = listed(here) + (f"; not here: {', '.join(others)}" if others else "")
        if COMPONENTS in here:
            return ok("parts", found)
        return warning(
            "parts",
            f"{found}. The base checks specs; the rest needs more",
            "Run pip install 'everfit[components]' to run pipelines here (docs/how-to/install.md)",
        )

    def components(self) -> Finding:
        """The interpreter that components are started with."""
        python = self._interpreters.get("components")
        if python is None:
            if self._in_containers():
                return warning("components", "none here; they run in containers or pods")
            return fails("components", *self._interpreters["problem"])
        answer = ask(python, _COMPONENTS, self._environ)
        if answer["missing"]:
            return fails(
                "components",
                f"{python} lacks {shortlist(answer['missing'])} of everfit[components]",
                f"Run {python} -m pip install 'everfit[components]'",
            )
        found = f"Python {answer['python']}, everfit {answer['everfit']}, {python}"
        return self._same_version("components", found, answer["everfit"], python)

    def airflow(self) -> Finding:
        """Airflow's interpreter, and whether it loads the plugin."""
        program = Path(self._interpreters["airflow"])
        if not os.access(program, os.X_OK):
            return warning(
                "Airflow",
                f"there is none at {program}; everfit run and cron do without",
                "Run pip install 'everfit[airflow]' to schedule with it (docs/how-to/airflow.md)",
            )
        python = str(program.with_name("python"))
        with tempfile.TemporaryDirectory(prefix="everfit-doctor-") as folder:
            answer = ask(python, _AIRFLOW, self._for_airflow(folder))
        if answer["airflow"] is None:
            return fails(
                "Airflow",
                f"{program} is there, and Airflow is not installed beside it",
                f"Run {python} -m pip install 'everfit[airflow]'",
            )
        if answer["by"] is None:
            why = answer["problem"] or "none found"
            return fails(
                "Airflow",
                f"{answer['airflow']}, without Everfit's plugin: {why}",
                f"Run {python} -m pip install 'everfit[airflow]'",
            )
        by = "its folder" if "$PLUGINS_FOLDER" in answer["by"] else "its entry point"
        found = f"{answer['airflow']}, the plugin is found by {by}, {python}"
        tested = _tested_airflow()
        if tested and answer["airflow"] != tested:
            return warning("Airflow", found, f"Everfit is tested with Airflow {tested}")
        return self._same_version("Airflow", found, answer["everfit"], python)

    @cached_property
    def _interpreters(self) -> dict[str, Any]:
        return interpreters(self._settings, self._environ)

    def _in_containers(self) -> bool:
        runner = self._environ.get("EVERFIT_RUNNER") or "process"
        return runner != "process" or bool(self._environ.get("EVERFIT_RUNNERS"))

    def _same_version(self, check: str, found: str, theirs: str, python: str) -> Finding:
        if theirs == VERSION:
            return ok(check, found)
        return warning(
            check,
            f"{found}; this one is everfit {VERSION}",
            f"Install one version in both: {python} -m pip install everfit=={VERSION}",
        )

    def _for_airflow(self, folder: str) -> dict[str, str]:
        """An environment in which Airflow reads its settings and writes none."""
        home = Path(self._environ.get("AIRFLOW_HOME") or Path.home() / "airflow")
        written = Path(self._environ.get("AIRFLOW_CONFIG") or home / "airflow.cfg").is_file()
        beside = self._settings.root / "plugins"
        more = {
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__LOGGING__BASE_LOG_FOLDER": folder,
        }
        if not written:
            more |= {"AIRFLOW_HOME": folder, "AIRFLOW_CONFIG": f"{folder}/airflow.cfg"}
            if "AIRFLOW__CORE__PLUGINS_FOLDER" not in self._environ and beside.is_dir():
                more["AIRFLOW__CORE__PLUGINS_FOLDER"] = str(beside)
        return {**self._environ, **more}


def interpreters(settings: Settings, environ: Mapping[str, str]) -> dict[str, Any]:
    """The ``airflow`` program and the Python of the ``components``, as the Airflow side finds them.

    Where there is no such Python, ``problem`` holds what was found and what to do.
    """
    return ask(sys.executable, _INTERPRETERS, {**environ, "EVERFIT_ROOT": str(settings.root)})


def _tested_airflow() -> str | None:
    """The version of Airflow that the package asks for."""
    try:
        lines = requires("everfit") or []
    except PackageNotFoundError:
        return None
    found = (re.match(r"apache-airflow\s*==\s*([\w.]+)", line) for line in lines)
    return next((match[1] for match in found if match), None)
