"""``everfit check``: every mistake of a spec at once, and whether its source fits it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from everfit.cli.command import Command, Group
from everfit.cli.terminal import Terminal
from everfit.contracts.errors import EverfitError, SpecError, UserError
from everfit.contracts.extras import COMPONENTS, is_installed
from everfit.contracts.wording import count

if TYPE_CHECKING:
    from everfit.contracts.settings import Settings
    from everfit.contracts.spec.pipeline import PipelineSpec


class Checked(TypedDict):
    """One pipeline."""

    pipeline: str
    problems: list[str]
    """None: it can run."""
    warnings: list[str]
    spans: int | None
    """In the source; null where it was not looked at."""
    newest: str | None
    """The newest span."""
    rows: int | None
    """In the newest span."""
    notes: list[str]
    """What was found in the newest span, and what of it and of the source is left out."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which pipelines, and how far to look."""
    parser.add_argument("names", nargs="*", metavar="NAME", help="pipelines (default: all)")
    parser.add_argument(
        "--spec-only", action="store_true", help="check the YAML only, not its source"
    )


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Check the pipelines named, or all."""
    from everfit.contracts.settings import Settings
    from everfit.contracts.spec.load import find_spec, spec_paths

    settings = Settings.from_environment()
    if options.names:
        paths = [find_spec(settings.pipelines, name) for name in options.names]
    else:
        paths = spec_paths(settings.pipelines)
        if not paths:
            raise UserError(
                "PIPELINES",
                str(settings.pipelines),
                "pipelines are .yaml files in this folder",
                "there is none",
                "Write one (docs/reference/spec.md), or set EVERFIT_PIPELINES",
            )
    codes, answers = [], []
    for path in paths:
        code, answer = _check(path, settings, terminal, spec_only=options.spec_only)
        codes.append(code)
        answers.append(answer)
    terminal.document(answers)
    # A mistake to correct comes before a service that may come back.
    return min((code for code in codes if code), default=0)


def _check(
    path: Path, settings: Settings, terminal: Terminal, *, spec_only: bool
) -> tuple[int, Checked]:
    """Check one spec; the exit code it alone would give, and what was found."""
    from everfit.contracts.spec.images import is_pinned
    from everfit.contracts.spec.load import load_spec

    answer: Checked = {
        "pipeline": path.stem,
        "problems": [],
        "warnings": [],
        "spans": None,
        "newest": None,
        "rows": None,
        "notes": [],
    }
    code = 0
    try:
        spec = load_spec(path)
        facts = _check_source(path, spec, settings, answer, spec_only=spec_only)
    except SpecError as error:
        code = error.exit_code
        answer["problems"] = [f"SPEC {line}" for line in error.located]
    except EverfitError as error:
        code = error.exit_code
        answer["problems"] = [error.line]
    else:
        terminal.line(f"✓ {path.stem}{facts}")
        for note in answer["notes"]:
            terminal.line(f"    {note}")
        answer["warnings"] += [
            f"SPEC {path.name} images.{name}: warning: {image} is a tag, and what it names may "
            "change without any run being repeated; name it by digest: name@sha256:…"
            for name, image in spec.images.items()
            if not is_pinned(image)
        ]
    for line in (*answer["problems"], *answer["warnings"]):
        terminal.complain(line)
    return code, answer


def _check_estimators(path: Path, spec: PipelineSpec) -> None:
    """Make sure the estimators and parameters that the spec names exist; nothing is fitted.

    Raises
    ------
    SpecError
        With a line for each family that is wrong.
    """
    named = [f for f in spec.train.families if f.estimator or f.params or f.search]
    if not named:
        return
    from everfit.contracts.spec.load import error_found_later
    from everfit.ml.families.resolve import family_of

    problems = []
    for family in named:
        try:
            family_of(
                family,
                spec.task,
                spec.primary_metric,
                spec.train.seed,
                spec.train.threads,
                weighted=spec.weight is not None,
            )
        except EverfitError as error:
            problems.append(f"train.families {family.name}: {error.line}")
    if problems:
        raise error_found_later(path, problems)


def _check_own_checks(path: Path, spec: PipelineSpec) -> None:
    """Make sure the user's own checks that the gate names can be imported.

    Raises
    ------
    SpecError
        With a line for each that cannot.
    """
    from everfit.contracts.spec.load import error_found_later
    from everfit.steps.gate.own_checks import import_check

    problems = []
    for check in spec.gate.checks:
        try:
            import_check(check)
        except EverfitError as error:
            problems.append(f"gate.checks: {error.line}")
    if problems:
        raise error_found_later(path, problems)


def _check_source(
    file: Path, spec: PipelineSpec, settings: Settings, answer: Checked, *, spec_only: bool
) -> str:
    """Compare the spec with the newest span; what the source holds."""
    if not is_installed(COMPONENTS):
        if spec_only:
            return ""
        return "  its source was not checked: that needs pip install 'everfit[components]'"
    from everfit.data.sources import source_type

    source_type(spec.source.kind)
    if spec_only:
        return ""
    from everfit.cli.check_data import check_data
    from everfit.cli.newest_spans import newest_snapshots
    from everfit.contracts.spec.load import error_found_later
    from everfit.data.sources.beside import list_with_tables
    from everfit.engine.context import open_context
    from everfit.steps.extract.step import joined_notes

    # Only the image knows what an image of the pipeline's own holds.
    if spec.image_of("train") is None:
        _check_estimators(file, spec)
    if spec.image_of("gate") is None:
        _check_own_checks(file, spec)
    if spec.image_of("extract") is not None:
        return "  the source was not checked: extract has an image of its own"
    with open_context(settings) as context:
        (newest,) = newest_snapshots(spec, context, 1)
        span = newest.span
        answer["notes"] = [f"{span.name}: {note}" for note in newest.notes]
        path = context.store.local(span.digest, context.scratch)
        problems, warnings, fields = check_data(spec, newest, path, context)
        answer["notes"] += joined_notes([newest])
        listing = list_with_tables(spec, settings).listing
        answer["notes"] += listing.notes
        spans = len(listing.spans)
        if spans == 1 and spec.holdout.spans is not None:
            problems.append(
                f"holdout: the source holds one span, {span.name}, and nothing is left to "
                "train on once it is held out; divide its rows with holdout: "
                "{fraction: 0.2}, or wait for the next span"
            )
        answer["warnings"] += warnings
        if problems:
            raise error_found_later(file, problems, fields)
    answer["spans"], answer["newest"], answer["rows"] = spans, span.name, span.rows
    return f"  {count(spans, 'span')}, newest {span.name} with {count(span.rows, 'row')}"


COMMAND = Command(
    group=Group.WORK_ON,
    help="find every mistake in a pipeline's YAML",
    description="Names every mistake of one, several or all specs at once. Then checks that the "
    "source has spans with the columns the spec names, that its estimators and their parameters "
    "exist, and that your own checks can be imported.",
    add_arguments=add_arguments,
    run=run,
    answer=lambda: list[Checked],
    page="reference/spec.md",
)
