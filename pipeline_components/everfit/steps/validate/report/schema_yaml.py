"""A schema as YAML for a person to review, with what was seen in comments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from everfit.contracts.messages.statistics import ColumnStatistics, SpanStatistics
from everfit.contracts.spec.table_schema import TableSchema
from everfit.contracts.wording import percent

_HEADER = """\
# The schema of {name}'s table, inferred from {spans}. Review it, then keep it in git.
#
# A span that breaks it is quarantined. Ranges are wider than what was seen, and 1 % of the values
# may be outside; tighten what you know better. Remove a column, or a bound, to leave it unchecked.
# The fields are described in docs/reference/spec.md, the anomalies in docs/reference/anomalies.md.
"""


def schema_yaml(
    schema: TableSchema,
    name: str = "this pipeline",
    seen: Sequence[SpanStatistics] = (),
    deviating: Mapping[str, str] | None = None,
) -> str:
    """A schema as the YAML of ``<name>.schema.yaml``.

    Parameters
    ----------
    schema : TableSchema
    name : str
        The pipeline, for the heading.
    seen : sequence of SpanStatistics, optional
        Adds to each column a comment with what was seen.
    deviating : mapping, optional
        Spans that were left out → why; named in the heading.

    Returns
    -------
    str
        The same text for the same values; reading it gives an equal schema.
    """
    spans = f"{len(seen)} span{'s' if len(seen) > 1 else ''}" if seen else "its spans"
    lines = [_HEADER.format(name=name, spans=spans)]
    for span, why in (deviating or {}).items():
        lines += [f"# {line}\n" for line in _wrapped(f"Not from {span}: {why}.")]
    lines.append(f"allow_extra: {'true' if schema.allow_extra else 'false'}\ncolumns:\n")
    for column, fields in schema.columns.items():
        comment = _comment([c for span in seen if (c := span.column(column))])
        if comment:
            lines.append(f"  # {comment}\n")
        stated = fields.model_dump(mode="json", exclude_defaults=True)
        lines.append(_entry(column, {"type": fields.type} | stated))
    return "".join(lines)


def _entry(column: str, fields: dict[str, Any]) -> str:
    import yaml

    text = yaml.safe_dump(
        {column: fields}, sort_keys=False, default_flow_style=None, width=96, allow_unicode=True
    )
    return "".join(f"  {line}\n" for line in text.splitlines())


def _comment(seen: Sequence[ColumnStatistics]) -> str:
    if not seen:
        return ""
    missing = max(column.missing for column in seen)
    text = f"seen: at most {percent(missing)} missing"
    ends = [(c.min, c.max) for c in seen if c.min is not None and c.max is not None]
    if seen[-1].type == "timestamp":
        times = [(c.time_min, c.time_max) for c in seen if c.time_min and c.time_max]
        if times:
            text += f", {min(low for low, _ in times)} to {max(high for _, high in times)}"
    elif ends:
        text += f", {min(low for low, _ in ends):g} to {max(high for _, high in ends):g}"
    return f"{text}, up to {max(column.distinct for column in seen):,} distinct"


def _wrapped(text: str) -> list[str]:
    import textwrap

    return textwrap.wrap(" ".join(text.split()), 96)
