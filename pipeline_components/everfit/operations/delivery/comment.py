"""What a reviewer reads of the samples, as Markdown for a pull request."""

from __future__ import annotations

import re
from collections.abc import Sequence

from everfit.contracts import wording
from everfit.contracts.spec.metrics import metric_title
from everfit.operations.delivery.sample import Sampled, Size

MARK = "<!-- everfit: samples of the changed pipelines -->"
"""By it a later comment finds the one it replaces."""

LONGEST = 60_000
"""Characters; GitHub takes 65,536."""

SIGNS = {"promote": "✅ promote", "hold": "⏸️ hold", "reject": "❌ reject"}


def comment(samples: Sequence[Sampled], size: Size, link: str = "") -> str:
    """Put the verdicts in a table, and what would flip them below.

    Parameters
    ----------
    samples : sequence of Sampled
    size : Size
        As it was asked for.
    link : str, optional
        Where the decision reports can be had.
    """
    failed = sum(bool(one.exit_code) for one in samples)
    lines = [MARK, f"### Everfit: {_counted(len(samples), failed)} on a sample", ""]
    if not samples:
        lines += ["No pipeline is concerned by this change.", ""]
    else:
        lines += [
            "| pipeline | verdict | compared with | candidate → that | gain (95 %) | because |",
            "| --- | --- | --- | --- | --- | --- |",
            *map(_row, samples),
            "",
            f"The newest {size.spans} spans, about {size.rows:,} rows of each, in `observe` mode "
            "and in a home of their own: nothing was registered or promoted. A sample finds "
            "mistakes and large differences; the verdict that counts is made on all rows.",
            "",
        ]
        if link:
            lines += [f"[Decision and data reports]({_address(link)}), in the run's artifacts.", ""]
    for one in samples:
        lines += _details(one)
    text = "\n".join(lines).rstrip() + "\n"
    if len(text) > LONGEST:
        text = text[:LONGEST].rsplit("\n", 1)[0] + "\n\n… (cut; the reports say it all)\n"
    return text


def _counted(count: int, failed: int) -> str:
    what = f"{count} changed pipeline{'' if count == 1 else 's'}"
    return f"{what}, {failed} of them failing," if failed else what


def _row(one: Sampled) -> str:
    found = one.comparison
    if one.problems:
        verdict, because = "💥 failed", plain(one.problems[0])
    elif one.verdict is None:
        verdict, because = "– not judged", plain(one.because)
    else:
        verdict, because = SIGNS.get(one.verdict, plain(one.verdict)), plain(one.because)
    scores = gain = "–"
    if found is not None:
        ours, theirs = wording.apart(found.candidate_score, found.baseline_score)
        scores = f"{plain(metric_title(found.metric))} {ours} → {theirs}"
        gain = wording.number(found.gain.value, signed=True)
        gain += f" ({wording.interval(found.gain.low, found.gain.high)})"
    against = plain(one.against) or "–"
    return f"| `{one.pipeline}` | {verdict} | {against} | {scores} | {gain} | {because} |"


def _details(one: Sampled) -> list[str]:
    lines = []
    if one.why:
        lines.append(f"- run because of {plain(one.why)}")
    if one.spans:
        named = ", ".join(map(plain, one.spans[:12])) + (" …" if len(one.spans) > 12 else "")
        lines.append(
            f"- trained on {one.rows_train:,} rows and judged on {one.rows_holdout:,}, of {named}; "
            f"{wording.duration(one.seconds)}"
        )
    lines += [f"- {plain(note)}" for note in one.notes]
    lines += [f"- {plain(problem)}" for problem in one.problems]
    lines += [f"- what would flip it: {plain(sentence)}" for sentence in one.flips]
    for check in one.not_passed:
        state = check.state.replace("_", " ")
        lines.append(f"- {check.severity} `{check.code}`, {state}: {plain(check.message)}")
    if not lines:
        return []
    return [f"<details><summary>{one.pipeline}</summary>", "", *lines, "", "</details>", ""]


def plain(text: str) -> str:
    """Text as it stands, on one line: no markup, no table cell's end, nobody mentioned."""
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    text = re.sub(r"([\\`*_{}\[\]|~#!])", r"\\\1", text)
    # A zero-width space keeps GitHub from reading a name, an issue's number or an address.
    return text.replace("@", "@\u200b").replace("://", ":\u200b//")


def _address(link: str) -> str:
    return re.sub(r"[^A-Za-z0-9:/?&=._~%#-]", "", link)
