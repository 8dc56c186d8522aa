"""The look of the pages made here; the reports bring their own."""

from __future__ import annotations

from html import escape

STYLE = """
:root { color-scheme: light dark; --paper: #f7f8f9; --surface: #fff; --ink: #1b2330;
  --soft: #566273; --line: #e1e5ea; --accent: #2b5c94; }
@media (prefers-color-scheme: dark) { :root { --paper: #11151b; --surface: #181e26;
  --ink: #e4e8ee; --soft: #9ba7b6; --line: #2a323d; --accent: #86b7ec; } }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.6 system-ui, "Liberation Sans", Arial, sans-serif; overflow-wrap: anywhere; }
main { max-width: 62rem; margin: 1.5rem auto; padding: 1.5rem 2rem 2rem; box-sizing: border-box;
  background: var(--surface); border: 1px solid var(--line); border-radius: .6rem; }
h1 { margin: 0 0 1rem; font-size: 1.75rem; line-height: 1.2; }
h2 { margin: 2rem 0 .6rem; font-size: 1.2rem; }
a { color: var(--accent); }
code { font-size: .9em; }
table { width: 100%; border-collapse: collapse; font-size: .9375rem;
  font-variant-numeric: tabular-nums; }
th, td { padding: .4rem .9rem .4rem 0; text-align: left; border-bottom: 1px solid var(--line); }
th { color: var(--soft); font-weight: 600; }
dt { margin-top: 1rem; font-weight: 600; }
dd { margin: 0; }
.soft { color: var(--soft); }
"""


def simple_page(title: str, body: str, bar: str = "") -> str:
    """A whole page.

    Parameters
    ----------
    title : str
        Escaped here.
    body, bar : str
        HTML; the bar stands above the page.
    """
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>"
        f"<body>{bar}<main>{body}</main></body></html>"
    )
