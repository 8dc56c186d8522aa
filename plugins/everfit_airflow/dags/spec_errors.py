"""Broken specs as import errors, each under its own name.

One DAG file builds every pipeline, and Airflow drops all DAGs of a file that raises. So the file
only leaves a broken spec out, and this DAG bundle shows it: a folder with one small module for
each YAML that cannot be read, which raises that YAML's problems when Airflow imports it. When the
YAML is fixed the module goes, and Airflow clears the error with it. Nothing here ever makes a DAG.

Configured beside the bundle of the DAG files, in ``[dag_processor] dag_bundle_config_list``::

    {
        "name": "spec-errors",
        "classpath": "everfit_airflow.dags.spec_errors.SpecErrors",
        "kwargs": {},
    }
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from airflow.dag_processing.bundles.base import BaseDagBundle

from everfit.contracts.errors import SpecError
from everfit.contracts.spec.load import load_spec, spec_paths
from everfit_airflow.settings_here import settings_here

MODULE = '''"""airflow dag: a pipeline that cannot be built; its YAML says what to fix."""
from everfit_airflow.dags.spec_errors import BrokenSpec

PROBLEMS = {message!r}
raise BrokenSpec(PROBLEMS)
'''


class BrokenSpec(Exception):
    """What Airflow shows of a spec that is no pipeline."""


class SpecErrors(BaseDagBundle):
    """The bundle of the broken.

    Parameters
    ----------
    pipelines : str, optional
        The folder of specs; default ``EVERFIT_PIPELINES``.
    """

    supports_versioning = False

    def __init__(self, *, pipelines: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._pipelines = pipelines

    @property
    def path(self) -> Path:
        """Where the modules are."""
        return self.base_dir

    def get_current_version(self) -> None:
        """The specs' own bundle has a version, their errors have none."""
        return None

    def initialize(self) -> None:
        """Look once before Airflow does."""
        self.refresh()
        super().initialize()

    def refresh(self) -> None:
        """Write a module for each broken spec, and remove those of specs that are whole again."""
        folder = Path(self._pipelines or settings_here().pipelines)
        self.path.mkdir(parents=True, exist_ok=True)
        wanted = {
            f"{path.name}.py": MODULE.format(message=problems)
            for path in spec_paths(folder)
            if (problems := problems_of(path))
        }
        for stale in self.path.glob("*.yaml.py"):
            if stale.name not in wanted:
                stale.unlink(missing_ok=True)
        for name, text in wanted.items():
            module = self.path / name
            if not module.exists() or module.read_text(encoding="utf-8") != text:
                aside = module.with_suffix(".part")
                aside.write_text(text, encoding="utf-8")
                aside.replace(module)


def problems_of(path: Path) -> str:
    """Every problem of a spec, a line each; empty where there is none."""
    from everfit_airflow.dags.pipeline_dags import schedules_of

    try:
        schedules_of(load_spec(path))
    except SpecError as error:
        return "\n".join(
            [f"{path.name} is not a valid pipeline yet:", *(f"- {line}" for line in error.located)]
        )
    except Exception as error:  # a defect here must not stop Airflow from reading its DAGs
        return f"{path.name} cannot be read: {type(error).__name__}: {error}"
    return ""
