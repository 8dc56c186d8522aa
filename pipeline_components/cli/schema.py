"""``everfit schema``: infer the table's schema and write it beside the spec, for review."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from pipeline_components.cli.newest_spans import newest_spans
from pipeline_components.context import open_context
from pipeline_components.contracts.errors import UserError
from pipeline_components.contracts.settings import Settings
from pipeline_components.contracts.spec_file import SCHEMA_SUFFIX, find_spec, load_spec


def command(options: argparse.Namespace) -> int:
    """Infer and write one schema."""
    settings = Settings.from_environment()
    path = find_spec(settings.pipelines, options.name)
    target: Path = options.to or path.with_name(path.stem + SCHEMA_SUFFIX)
    if target.exists() and not options.replace:
        raise UserError(
            "SCHEMA-EXISTS", target.name, "a reviewed schema is not overwritten unasked",
            "it is there", "Give --replace, or --to another file and compare them",
        )  # fmt: skip
    # What is inferred owes nothing to the schema it replaces.
    spec = load_spec(path).model_copy(update={"curated": None})
    from pipeline_components.statistics.cache import statistics_of_spans
    from pipeline_components.validate.infer_schema import infer_schema, schema_yaml

    with open_context(settings) as context:
        spans = newest_spans(spec, context, options.spans)
        seen, _ = statistics_of_spans(context, spans)
    text = schema_yaml(infer_schema(seen), spec.name, seen)
    aside = target.with_name(f".{target.name}.part")
    aside.write_text(text, encoding="utf-8")
    aside.replace(target)
    sys.stdout.write(f"{target}: from {len(spans)} spans. Review it, then keep it in git.\n")
    return 0
