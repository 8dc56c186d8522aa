"""One message: what happened, why, and where to look; as text, HTML and for Slack."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from everfit.contracts.spec.notices import News, NewsKind

SUBJECT = 150
"""Characters of a subject; mail programs show fewer."""

WHY = 1500
"""Characters of the reason; the whole is in the report or the log."""


@dataclass(frozen=True)
class Message:
    """What a person reads."""

    pipeline: str
    news: News
    links: tuple[tuple[str, str], ...] = ()
    """Name and absolute address, the most telling first."""

    @property
    def kind(self) -> NewsKind:
        """What sort of news it is."""
        return self.news.kind

    @property
    def subject(self) -> str:
        """One line: pipeline, kind, what happened."""
        what = self.news.what.removeprefix(f"{self.pipeline}: ")
        return one_line(f"[{self.pipeline}] {self.kind}: {what}", SUBJECT)

    @property
    def why(self) -> str:
        """The reason, on one line."""
        return one_line(self.news.why, WHY)

    @property
    def text(self) -> str:
        """Reason and links, as plain text."""
        parts = [self.why] if self.why else []
        if self.links:
            parts.append("\n".join(f"{name}: {url}" for name, url in self.links))
        return "\n\n".join(parts)

    @property
    def html(self) -> str:
        """The whole as a page for a mail; no styles, no pictures, nothing to fetch."""
        links = "".join(
            f'<li><a href="{escape(url)}">{escape(name)}</a></li>' for name, url in self.links
        )
        return (
            f"<p><b>{escape(self.subject)}</b></p>"
            + (f"<p>{escape(self.why)}</p>" if self.why else "")
            + (f"<ul>{links}</ul>" if links else "")
        )

    @property
    def slack(self) -> str:
        """The whole in Slack's markup."""
        lines = [f"*{slack_text(self.subject)}*"]
        if self.why:
            lines.append(slack_text(self.why))
        if self.links:
            lines.append(" · ".join(f"<{slack_text(u)}|{slack_text(n)}>" for n, u in self.links))
        return "\n".join(lines)


def one_line(text: str, most: int) -> str:
    """Without line breaks, which would end a mail's header, and cut where it is too long."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= most else line[: most - 1].rstrip() + "…"


def slack_text(text: str) -> str:
    """Text as it stands: no mention of everybody, no link of its own."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
