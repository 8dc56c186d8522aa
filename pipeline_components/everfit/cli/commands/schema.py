"""``everfit schema``: infer the table's schema and write it beside the spec, for review."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from everfit.cli.arguments import from_one
from everfit.cli.command import Command, Group
from everfit.cli.terminal import Terminal
from everfit.contracts.errors import SourceError, UserError
from everfit.contracts.wording import count

if TYPE_CHECKING:
    from everfit.contracts.messages.requests import Anomaly


class Inferred(TypedDict):
    """A schema that was written."""

    pipeline: str
    file: str
    spans: list[str]
    """Names of the spans it was inferred from."""
    left_out: dict[str, str]
    """Spans that are no model of good data, and why."""
    readings: list[str]
    """Columns that were read oddly, a sentence each."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which pipeline, from what, and where to."""
    parser.add_argument("name", metavar="NAME", help="the pipeline")
    parser.add_argument(
        "--spans", type=from_one, metavar="N", help="read the newest N spans only (default: all)"
    )
    parser.add_argument("--replace", action="store_true", help="overwrite an existing schema")
    parser.add_argument(
        "--to", type=Path, metavar="FILE", help="write here, not beside the pipeline's YAML"
    )


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Infer and write one schema."""
    from everfit.contracts.settings import Settings
    from everfit.contracts.spec.load import SCHEMA_SUFFIX, find_spec, load_spec

    settings = Settings.from_environment()
    path = find_spec(settings.pipelines, options.name)
    target: Path = options.to or path.with_name(path.stem + SCHEMA_SUFFIX)
    if target.exists() and not options.replace:
        raise UserError(
            "SCHEMA-EXISTS",
            target.name,
            "a reviewed schema is only overwritten on request",
            "it is there",
            "Give --replace, or --to another file and compare them",
        )
    # What is inferred owes nothing to the schema it replaces.
    spec = load_spec(path).model_copy(update={"curated": None})
    from everfit.cli.newest_spans import newest_snapshots
    from everfit.engine.context import open_context
    from everfit.steps.validate.infer_schema import infer_schema
    from everfit.steps.validate.judge import Shown
    from everfit.steps.validate.judge_spans import judge_spans
    from everfit.steps.validate.report.schema_yaml import schema_yaml

    with open_context(settings, terminal.progress()) as context:
        snapshots = newest_snapshots(spec, context, options.spans)
        spans = tuple(snapshot.span for snapshot in snapshots)
        shown = Shown(
            readings={snapshot.span.name: snapshot.readings for snapshot in snapshots},
            rules={snapshot.span.name: snapshot.rules for snapshot in snapshots},
        )
        known, _, judgements = judge_spans(context, spec, spans, shown)
    deviating = {
        span.name: why
        for span, judgement in zip(spans, judgements, strict=True)
        if (why := _deviates(judgement.anomalies))
    }
    pairs = list(zip(spans, known, strict=True))
    good = [span.name for span, _ in pairs if span.name not in deviating]
    if not good:
        raise SourceError(
            "SCHEMA-NO-GOOD",
            spec.name,
            "a schema is inferred from sound spans",
            f"all {len(spans)} would be quarantined: {next(iter(deviating.values()))}",
            "Correct the source, or say in the spec how it is read",
        )
    seen = [statistics for span, statistics in pairs if span.name not in deviating]
    text = schema_yaml(infer_schema(seen), spec.name, seen, deviating)
    aside = target.with_name(f".{target.name}.part")
    aside.write_text(text, encoding="utf-8")
    aside.replace(target)
    answer: Inferred = {
        "pipeline": spec.name,
        "file": str(target),
        "spans": good,
        "left_out": deviating,
        "readings": [
            f"{snapshot.span.name}: {reading.column}: {reading.message}. {reading.todo}"
            for snapshot in snapshots
            for reading in snapshot.readings
        ],
    }
    terminal.document(answer)
    for name, why in deviating.items():
        terminal.complain(f"{name} is left out: {why}")
    for line in answer["readings"]:
        terminal.complain(line)
    terminal.line(f"{target}: from {count(len(good), 'span')}. Review it, then keep it in git.")
    return 0


def _deviates(anomalies: Sequence[Anomaly]) -> str:
    """Why a span is no model of good data; empty where it is one.

    What is wrong with the target says something of the spec, and nothing of the columns.
    """
    found = [
        one for one in anomalies if one.severity == "error" and not one.code.startswith("TARGET-")
    ]
    if not found:
        return ""
    about = f" {found[0].column}" if found[0].column else ""
    return f"{found[0].code}{about}: {found[0].message}"


COMMAND = Command(
    group=Group.WORK_ON,
    help="infer the table's schema from its spans and write it for review",
    description="Infers what good data looks like from the pipeline's spans and writes "
    "NAME.schema.yaml beside its YAML, for you to review and keep in git.",
    add_arguments=add_arguments,
    run=run,
    answer=lambda: Inferred,
    page="reference/spec.md",
)
