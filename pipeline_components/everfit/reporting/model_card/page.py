"""The model card as a page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from everfit.contracts import wording
from everfit.contracts.messages.cards import ModelCard
from everfit.contracts.spec.metrics import METRICS, Task, metric_title, metric_unit
from everfit.contracts.weighted import weighted_by
from everfit.reporting.templating import Tone, render

TEMPLATE = "reporting/model_card/model_card.html.j2"
MOST_IMPORTANCES = 15
MOST_FEATURES = 60
MOST_CLASSES = 20

PREDICTS: dict[Task, str] = {
    "regression": "a number (regression)",
    "binary": "one of two classes (binary classification)",
    "multiclass": "one of several classes (multiclass classification)",
}


@dataclass(frozen=True)
class Standing:
    """What a model has come to be, as far as whoever draws its card knows.

    Attributes
    ----------
    status : str
        In a word or two: ``candidate``, ``champion``.
    because : str
        A sentence.
    version : int, optional
        In the registry.
    date : str
        When it was registered, or trained; empty where nobody has recorded that.
    """

    status: str
    tone: Tone
    because: str
    owner: str = ""
    version: int | None = None
    date: str = ""

    def facts(self, card: ModelCard) -> list[tuple[str, str]]:
        """Owner, version, date and status, as names and values."""
        version = "not registered" if self.version is None else f"v{self.version}"
        return [
            ("Owner", self.owner or "not named"),
            ("Version", version),
            *([("Date", self.date)] if self.date else []),
            ("Status", self.status),
            ("Run", card.run_key[:12]),
        ]


def unjudged(owner: str) -> Standing:
    """The standing of a candidate that has just been evaluated."""
    return Standing("candidate", "calm", "Trained and evaluated, and not judged yet.", owner)


def card_page(card: ModelCard, standing: Standing) -> bytes:
    """One self-contained page; the same bytes for the same values."""
    who = [("candidate", f"Candidate: {card.family}"), ("baseline", f"Baseline: {card.baseline}")]
    who += [(name, name.removeprefix("family:")) for name in card.scores if name[:7] == "family:"]
    if card.scores.get("baseline") != card.scores.get("dummy"):
        who.append(("dummy", f"Dummy: {card.dummy}"))
    who = [(name, title) for name, title in who if name in card.scores]
    version = "" if standing.version is None else f" v{standing.version}"
    return render(
        TEMPLATE,
        weighted="" if card.weights is None else weighted_by(card.weights),
        title=f"{card.pipeline}{version}",
        kicker="Everfit · model card",
        lead=standing.because,
        badge=standing.status,
        tone=standing.tone,
        footer="What a model was when this page was made: its later history is in the journal of "
        "champions.",
        card=card,
        standing=standing.facts(card),
        predicts=PREDICTS[card.task],
        classes=card.classes[:MOST_CLASSES],
        features=card.features[:MOST_FEATURES],
        metric=METRICS[card.metric],
        unit=metric_unit(card.metric, card.unit),
        score_headers=["Metric", *(title for _, title in who)],
        scores=_scores(card, [name for name, _ in who]),
        fairness=[
            (gap, metric_title(gap.metric), metric_unit(gap.metric, card.unit))
            for gap in card.fairness
        ],
        importances=ranked(card)[:MOST_IMPORTANCES],
        together=together(card),
    )


def ranked(card: ModelCard) -> list[tuple[str, float]]:
    """Features by importance, the most important first."""
    return sorted(card.importances.items(), key=lambda item: (-item[1], item[0]))


def together(card: ModelCard) -> list[str]:
    """Of columns that were only shuffled together: how many, and their importance; sentences."""
    rest = [group for group in card.importance_groups if group.kind == "rest"]
    if not rest:
        return []
    unit = metric_unit(card.metric, card.unit)
    total = wording.count(sum(len(group.columns) for group in rest), "further column")
    idle = sum(len(group.columns) for group in rest if group.importance <= 0)
    told = [f"{total} {'were' if total[:2] != '1 ' else 'was'} only shuffled together with others."]
    if idle:
        told.append(f"Of these, {wording.number(idle)} are not missed together.")
    return told + [
        f"{wording.count(len(group.columns), 'column')} together, such as {group.columns[0]}: "
        f"{wording.amount(group.importance, unit)}."
        for group in rest
        if group.importance > 0
    ]


def _scores(card: ModelCard, who: list[str]) -> list[dict[str, Any]]:
    return [
        {
            "metric": metric,
            "primary": name == card.metric,
            "unit": metric_unit(name, card.unit),
            "estimates": [card.scores[one].get(name) for one in who],
        }
        for name, metric in METRICS.items()
        if card.task in metric.tasks
    ]
