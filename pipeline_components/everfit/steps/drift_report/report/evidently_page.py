"""Evidently's data drift report as one page that fetches nothing; the only module that imports it.

Its page draws itself: without its own scripts it is blank. It bears a policy that allows these
and nothing from anywhere, and a frame of ours above it that says what it shows.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import warnings
from collections.abc import Iterator, Sequence

from markupsafe import Markup

from everfit.contracts.messages.monitoring import SCRIPTED_PAGE
from everfit.reporting.templating import render
from everfit.steps.drift_report.comparable import Comparable

FRAME = "steps/drift_report/report/evidently_frame.html.j2"
POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
    "img-src data: blob:; font-src data:; base-uri 'none'; form-action 'none'"
)

_ID = re.compile(r'"id": "([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})"')
_VARIABLE = re.compile(r"\bvar (metric_[0-9a-f]{32}) = ")


class NoReport(Exception):
    """Evidently could not make one; the text says why, in a line. An answer, not a mistake."""


def evidently_page(
    tables: Comparable, title: str, kicker: str, told: Sequence[str], left_out: Sequence[str]
) -> bytes:
    """Evidently's DataDriftPreset of two tables.

    Parameters
    ----------
    title, kicker : str
        What stands above it.
    told : sequence of str
        Paragraphs under the title.
    left_out : sequence of str
        Columns that are not in it, and why.

    Returns
    -------
    bytes
        UTF-8; equal tables give equal bytes.

    Raises
    ------
    NoReport
        Where Evidently raises anything at all.
    """
    with _quiet():
        try:
            html = _render(tables)
        except (KeyboardInterrupt, SystemExit, GeneratorExit):
            raise
        except BaseException as error:  # some of its own errors are no Exception
            lines = str(error).strip().splitlines() or [""]
            raise NoReport(f"{type(error).__name__}: {lines[0][:200]}".rstrip(": ")) from error
    return _framed(_stable(html), title, kicker, told, left_out).encode()


def _render(tables: Comparable) -> str:
    os.environ.setdefault("DO_NOT_TRACK", "1")  # read when it is imported
    from evidently import DataDefinition, Dataset, Report  # type: ignore[import-untyped]
    from evidently.presets import DataDriftPreset  # type: ignore[import-untyped]

    definition = DataDefinition(
        numerical_columns=list(tables.numbers), categorical_columns=list(tables.categories)
    )
    current, reference = (
        Dataset.from_pandas(frame, data_definition=definition)
        for frame in (tables.current, tables.reference)
    )
    snapshot = Report([DataDriftPreset(columns=tables.columns)]).run(current, reference)
    return str(snapshot.get_html_str(as_iframe=False))


def _stable(html: str) -> str:
    """Its random identifiers, numbered as they come."""
    names: dict[str, str] = {}
    for found in _ID.finditer(html):
        names.setdefault(found[1], f"00000000-0000-7000-8000-{len(names):012x}")
    if names:
        html = re.sub("|".join(map(re.escape, names)), lambda found: names[found[0]], html)
    for variable in dict.fromkeys(_VARIABLE.findall(html)):
        html = html.replace(variable, "metric_everfit")
    return html


def _framed(
    html: str, title: str, kicker: str, told: Sequence[str], left_out: Sequence[str]
) -> str:
    head, body = html.index("<head>") + len("<head>"), html.index("<body>") + len("<body>")
    frame = render(
        FRAME,
        policy=Markup(POLICY),  # noqa: S704 (a constant)
        title=title,
        kicker=kicker,
        paragraphs=list(told),
        left_out=list(left_out),
        head=Markup(html[head:body]),  # noqa: S704 (Evidently's own, under a policy of ours)
    ).decode()
    begin = html[html.index("<html") : head]
    return f"{SCRIPTED_PAGE.decode()}\n{begin}{frame}{html[body:]}"


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Its warnings are its own to fix."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
