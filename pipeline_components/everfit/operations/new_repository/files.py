"""The files of a new repository, from the templates beside this module."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from everfit.contracts.spec.metric import Task
from everfit.contracts.version import VERSION
from everfit.operations.new_repository.suggest import Target, baseline_of, margin_of

TEMPLATES = Path(__file__).with_name("templates")

FILES = {
    "README.md": "README.md.j2",
    "requirements.txt": "requirements.txt.j2",
    ".gitignore": "gitignore.j2",
    ".gitlab-ci.yml": "gitlab-ci.yml.j2",
    ".github/workflows/pipelines.yml": "workflow.yml.j2",
    "dags/all_pipelines.py": "dags.py.j2",
    "settings/dev.env": "dev.env.j2",
    "settings/staging.env": "team.env.j2",
    "settings/prod.env": "team.env.j2",
}
"""File of the repository → its template, beside the pipeline's own YAML."""

EXAMPLE = "taxi_fare"
"""The name of the example's pipeline."""


@dataclass(frozen=True)
class NewPipeline:
    """Everything that was decided about a pipeline."""

    name: str
    source: Mapping[str, Any]
    spans: int
    """How many the source holds."""
    rows: int
    """Of those looked at."""
    target: Target
    task: Task
    metric: str
    time: str | None
    drop: tuple[str, ...]
    """What names a row."""
    hidden: tuple[str, ...]
    """What the target is computed from."""


def spec_text(pipeline: NewPipeline) -> str:
    """The pipeline's YAML, with a comment for each thing that was found."""
    return _rendered(
        "pipeline.yaml.j2",
        pipeline=pipeline,
        source=yaml.safe_dump(dict(pipeline.source), sort_keys=False, allow_unicode=True).strip(),
        baseline=baseline_of(pipeline.task, pipeline.metric),
        margin=margin_of(pipeline.metric),
    )


def repository_files(pipeline: NewPipeline, pins: str) -> dict[str, str]:
    """Path → text of everything but the pipeline's own YAML.

    Parameters
    ----------
    pins : str
        The versions that are installed, a line each.
    """
    return {
        path: _rendered(
            template, pipeline=pipeline, version=VERSION, pins=pins, place=Path(path).stem
        )
        for path, template in FILES.items()
    }


def example_files() -> dict[str, str]:
    """Path → text of the example: its pipeline's YAML and the DAG file."""
    dags = "dags/all_pipelines.py"
    spec = _rendered(f"{EXAMPLE}.yaml.j2")
    return {f"dags/pipelines/{EXAMPLE}.yaml": spec, dags: _rendered(FILES[dags])}


def write_new(root: Path, files: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """Write what is not there; nothing that is there is touched.

    Returns
    -------
    written, kept : list of str
        Paths below the root.
    """
    written, kept = [], []
    for path, text in files.items():
        target = root / path
        if target.exists():
            kept.append(path)
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        aside = target.with_name(f".{target.name}.part")
        aside.write_text(text, encoding="utf-8")
        aside.replace(target)
        written.append(path)
    return written, kept


def _quoted(text: str) -> str:
    """A text as YAML writes it within a line."""
    dumped: str = yaml.safe_dump([text], default_flow_style=True, width=10_000, allow_unicode=True)
    return dumped.strip()[1:-1]


def _rendered(template: str, **values: object) -> str:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(  # noqa: S701 (text files, no pages)
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["quoted"] = _quoted
    return environment.get_template(template).render(values)
