"""The data report with what validate could not know yet: rows left out, and their weights."""

from __future__ import annotations

from collections.abc import Mapping

from markupsafe import Markup

from everfit.contracts.left_out import left_out, much_left_out
from everfit.contracts.messages.training import Weights
from everfit.contracts.weighted import weighted_by
from everfit.contracts.wording import number

PLACE = b"<!-- rows left out -->"
"""Where validate's page leaves room for it."""


def with_rows_left_out(
    page: bytes, dropped: Mapping[str, int], rows_read: int, weights: Weights | None = None
) -> bytes:
    """The page with a list of the reasons and their counts, and how rows are weighted.

    Parameters
    ----------
    page : bytes
        The data report as validate drew it.
    dropped : mapping
        Reason → rows.
    rows_read : int
        Of all good spans.
    weights : Weights, optional
        Where the spec weighs rows.
    """
    head = Markup("<h3>Rows left out</h3>\n")
    if warning := much_left_out(dropped, rows_read):
        head += Markup('<p class="warn"><strong>{}</strong></p>\n').format(warning)
    told = left_out(dropped, rows_read)
    if told:
        items = Markup("").join(Markup("<li>{}</li>\n").format(phrase) for phrase in told)
        text = head + Markup("<ul>\n{}</ul>").format(items)
    else:
        text = head + Markup("<p>None of {} rows.</p>").format(number(rows_read))
    if weights is not None:
        text += Markup("\n<h3>Row weights</h3>\n<p>{}</p>").format(weighted_by(weights))
    return page.replace(PLACE, text.encode(), 1)
