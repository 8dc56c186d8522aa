"""The data report with the rows that prepare left out, which validate could not know yet."""

from __future__ import annotations

from collections.abc import Mapping

from markupsafe import Markup

from everfit.contracts.left_out import left_out, much_left_out
from everfit.contracts.wording import number

PLACE = b"<!-- rows left out -->"
"""Where validate's page leaves room for it."""


def with_rows_left_out(page: bytes, dropped: Mapping[str, int], rows_read: int) -> bytes:
    """The page with a list of the reasons and their counts.

    Parameters
    ----------
    page : bytes
        The data report as validate drew it.
    dropped : mapping
        Reason → rows.
    rows_read : int
        Of all good spans.
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
    return page.replace(PLACE, text.encode(), 1)
