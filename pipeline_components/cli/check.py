"""``everfit check``: every mistake of a spec at once, and whether its source fits it."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from pipeline_components.contracts.errors import EverfitError, SpecError, UserError
from pipeline_components.contracts.images import is_pinned
from pipeline_components.contracts.named_columns import missing_columns
from pipeline_components.contracts.settings import Settings
from pipeline_components.contracts.spec import PipelineSpec
from pipeline_components.contracts.spec_file import find_spec, load_spec, spec_paths
from pipeline_components.source import list_spans


def command(options: argparse.Namespace) -> int:
    """Check the pipelines named, or all."""
    settings = Settings.from_environment()
    if options.names:
        paths = [find_spec(settings.pipelines, name) for name in options.names]
    else:
        paths = spec_paths(settings.pipelines)
        if not paths:
            raise UserError(
                "PIPELINES", str(settings.pipelines), "pipelines are .yaml files in this folder",
                "there is none", "Write one (docs/spec.md), or set EVERFIT_PIPELINES",
            )  # fmt: skip
    codes = {_look_at(path, settings, options.spec_only) for path in paths} - {0}
    return min(codes, default=0)  # a mistake to mend before a service that may come back


def _look_at(path: Path, settings: Settings, spec_only: bool) -> int:
    """Tick one spec or name its mistakes; returns the exit code it alone would give."""
    try:
        spec = load_spec(path)
        facts = "" if spec_only else _look(spec, settings)
    except SpecError as error:
        sys.stderr.write("".join(f"SPEC {error.where} {line}\n" for line in error.problems))
        return error.exit_code
    except EverfitError as error:
        sys.stderr.write(f"{error.line}\n")
        return error.exit_code
    sys.stdout.write(f"✓ {path.stem}{facts}\n")
    for name, image in spec.images.items():
        if not is_pinned(image):
            sys.stderr.write(
                f"SPEC {path.name} images.{name}: warning: {image} is a tag, and what it names may "
                "change without any run being made anew; name it by digest: name@sha256:…\n"
            )
    return 0


def _look_at_estimators(spec: PipelineSpec) -> None:
    """Whether what the spec names of scikit-learn's is there; nothing is fitted.

    Raises
    ------
    SpecError
        With a line for each family that is wrong.
    """
    named = [f for f in spec.train.families if f.estimator or f.params or f.search]
    if not named:
        return
    from pipeline_components.train.families import family_of

    problems = []
    for family in named:
        try:
            family_of(family, spec.task, spec.primary_metric, spec.train.seed, spec.train.threads)
        except EverfitError as error:
            problems.append(f"train.families {family.name}: {error.line}")
    if problems:
        raise SpecError(f"{spec.name}.yaml", problems)


def _look_at_checks(spec: PipelineSpec) -> None:
    """Whether the checks of the user's that the gate names can be imported and asked.

    Raises
    ------
    SpecError
        With a line for each that cannot.
    """
    from pipeline_components.gate.own_questions import import_check

    problems = []
    for path in spec.gate.checks:
        try:
            import_check(path)
        except EverfitError as error:
            problems.append(f"gate.checks: {error.line}")
    if problems:
        raise SpecError(f"{spec.name}.yaml", problems)


def _look(spec: PipelineSpec, settings: Settings) -> str:
    """Whether the newest span has every column the spec names; what the source holds."""
    from pipeline_components.cli.newest_spans import newest_spans
    from pipeline_components.context import open_context

    # What an image of the pipeline's own holds, only the image can tell.
    if spec.image_of("train") is None:
        _look_at_estimators(spec)
    if spec.image_of("gate") is None:
        _look_at_checks(spec)
    if spec.image_of("extract") is not None:
        return "  source not looked at: extract has an image of its own"
    with open_context(settings) as context:
        (span,) = newest_spans(spec, context, 1)
        import pyarrow.parquet as pq

        path = context.store.local(span.digest, context.scratch)
        problems = missing_columns(spec, pq.read_schema(path).names, span.name)
        if problems:
            raise SpecError(f"{spec.name}.yaml", problems)
        count = len(list_spans(spec.source, settings).spans)
    return f"  {count} span{'s' if count > 1 else ''}, newest {span.name} with {span.rows:,} rows"
