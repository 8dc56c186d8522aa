"""The version that scores: the journal's champion, that of an earlier time, or one by number."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from everfit.champion.journal import reign_at, reigns
from everfit.champion.lookup import find_version, version_number
from everfit.champion.seal import refuse_altered_journal
from everfit.champion.version.signing import verified
from everfit.contracts.clock import moment
from everfit.contracts.errors import UserError
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.engine.context import Context
from everfit.steps.score.model import ScoringModel
from everfit.storage.ledger.records import VersionRecord

CHAMPION, CHALLENGER = "champion", "challenger"
EACH_SPAN = "span"
"""In the place of a time: each span by the champion of its own end."""


@dataclass
class Versions:
    """Chooses the version for a span and keeps what is loaded.

    Parameters
    ----------
    spec : PipelineSpec
    context : Context
    version : str
        ``champion``, ``challenger`` (the newest version, later than the champion) or a number.
    as_of : datetime or "span", optional
        The champion of then; ``span``: of each span's end.

    Raises
    ------
    UserError
        If there is no such version, or none was champion then.
    IntegrityError
        If the journal is not as it was written.
    """

    spec: PipelineSpec
    context: Context
    version: str = CHAMPION
    as_of: datetime | str | None = None
    fixed: VersionRecord | None = field(default=None, init=False)
    """The version of every span; None where each has its own."""
    _models: dict[str, ScoringModel] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        if self.version != CHAMPION and self.as_of is not None:
            raise UserError(
                "SCORE-WHICH",
                self.spec.name,
                "one version scores: one by its number, or the champion of a time",
                "both are given",
                "Leave one out",
            )
        refuse_altered_journal(self.spec.name, self.context)
        self.fixed = None if self.as_of == EACH_SPAN else self._chosen()

    def of_span(self, name: str, end: str | None) -> VersionRecord:
        """The version that scores a span.

        Parameters
        ----------
        name : str
            Of the span, for messages.
        end : str, optional
            ISO time of its end.

        Raises
        ------
        UserError
            If nobody was champion at its end, or its end is not known.
        """
        if self.fixed is not None:
            return self.fixed
        when = moment(end)
        if when is None:
            raise UserError(
                "SCORE-TIME",
                name,
                "a span's end must be known to find the champion of then",
                "neither its name nor its rows say a time",
                "Give --as-of a time, or set time or source.period in the spec",
            )
        return self._champion_at(when, f"{self.spec.name} {name}")

    def current(self) -> VersionRecord:
        """The champion of now.

        Raises
        ------
        UserError
            If there is none yet.
        """
        head = self.context.ledger.champion(self.spec.name)
        record = self.context.ledger.version(head.run_key) if head else None
        if record is None:
            raise _no_champion(self.spec.name, "there is none yet")
        return record

    def model(self, record: VersionRecord) -> ScoringModel:
        """Its model, loaded once: signature of the record and digest verified."""
        if record.run_key not in self._models:
            verified(record, self.spec.name, self.context)
            self._models[record.run_key] = ScoringModel.load(self.spec, record, self.context)
        return self._models[record.run_key]

    def _chosen(self) -> VersionRecord:
        ledger, name = self.context.ledger, self.spec.name
        if self.version == CHALLENGER:
            return self._challenger()
        if self.version != CHAMPION:
            return find_version(ledger, name, version_number(self.version))
        if isinstance(self.as_of, datetime):
            return self._champion_at(self.as_of, name)
        return self.current()

    def _challenger(self) -> VersionRecord:
        head = self.context.ledger.champion(self.spec.name)
        champion = head.version if head else 0
        known = self.context.ledger.versions(self.spec.name)
        newest = max(known, key=lambda record: record.version, default=None)
        if newest is None or newest.version <= champion:
            raise UserError(
                "SCORE-CHALLENGER",
                self.spec.name,
                "a challenger is a version later than the champion",
                f"the newest is the champion, v{champion}" if champion else "there is no version",
                "Name another with --version, or wait for one",
            )
        return newest

    def _champion_at(self, when: datetime, where: str) -> VersionRecord:
        found = reigns(self.context.ledger, self.spec.name)
        reign = reign_at(found, when)
        if reign is None or reign.version is None:
            first = f", the first came {found[0].entry.at}" if found else ""
            found_then = f"there was none at {when:%Y-%m-%d %H:%M:%S %Z}{first}"
            raise _no_champion(where, found_then)
        return reign.version


def _no_champion(where: str, found: str) -> UserError:
    return UserError(
        "SCORE-CHAMPION",
        where,
        "rows are scored by a champion",
        found,
        "Look at everfit history, and name a version with --version, or train one with everfit run",
    )
