"""Score: predictions of whole spans by one version, published once."""

from __future__ import annotations

import logging

from everfit.contracts.errors import NothingToDo, Unavailable, UserError, shortlist
from everfit.contracts.messages.scoring import (
    ScoredSpan,
    ScoreOptions,
    ScoreRequest,
    ScoreResult,
)
from everfit.contracts.messages.steps import Order
from everfit.contracts.messages.summaries import ScoreSummary
from everfit.contracts.wording import count
from everfit.engine.context import Context
from everfit.engine.own_images import refuse_own_images
from everfit.engine.step import Step, StepReport
from everfit.engine.upstream import Upstream

log = logging.getLogger(__name__)

MOST_NOTES = 20
"""Notes that an outcome carries; the receipts have all."""


class Score(Step[ScoreRequest, ScoreResult]):
    """Score every span that its version has not scored; one that cannot be stops no other."""

    name = "score"
    result_type = ScoreResult
    cached = False

    def request(self, order: Order, _upstream: Upstream, context: Context) -> ScoreRequest:
        """The spec's ``score``, with the run's options in its place.

        Raises
        ------
        RequestError
            If neither says where predictions go.
        """
        from everfit.steps.score.request import request_of

        options = order.scoring or ScoreOptions()
        return request_of(order.pipeline, context.settings.root, **options.model_dump())

    def run(self, request: ScoreRequest, context: Context) -> ScoreResult:
        """Read, predict, publish; what is published already is found."""
        from everfit.steps.score.request import score_request

        spec = request.pipeline
        if spec.image_of("extract") != spec.image_of(self.name):
            refuse_own_images(spec, ("extract",))
        found = score_request(request, context)
        for one in found:
            if one.state == "refused":
                log.warning("%s", one.refusal)
            elif one.state == "scored":
                log.info("%s: %s scored by v%s", one.span, count(one.rows, "row"), one.version)
        return ScoreResult(pipeline=spec.name, output=request.output, spans=tuple(found))

    def record(
        self, request: ScoreRequest, result: ScoreResult, _context: Context, _order: Order
    ) -> None:
        """Receipts lie where the predictions are; here it is said what is missing.

        Raises
        ------
        UserError
            If a span was refused: its predictions are missing.
        Unavailable
            If all that was refused may be read later.
        NothingToDo
            If every span was scored before.
        """
        refused = result.of_state("refused")
        if refused:
            raise _refusal(request, refused, len(result.spans))
        if not result.of_state("scored"):
            raise NothingToDo(
                "SCORE-DONE",
                result.pipeline,
                "a span that is scored needs predictions that are not there yet",
                f"all {count(len(result.spans), 'span')} were scored before",
            )

    def report(self, result: ScoreResult, _context: Context) -> StepReport:
        """Counts."""
        scored, refused = result.of_state("scored"), result.of_state("refused")
        versions = {one.version for one in result.spans if one.version is not None}
        return StepReport(
            summary=ScoreSummary(
                scored=len(scored),
                rows=sum(one.rows for one in scored),
                already=len(result.of_state("already")),
                refused=len(refused),
                unscored=sum(one.unscored for one in scored),
                versions=tuple(sorted(versions)),
                output=result.output,
                first_refusal=refused[0].refusal or "" if refused else "",
                notes=tuple(note for one in scored for note in _notes(one))[:MOST_NOTES],
            )
        )


def _refusal(
    request: ScoreRequest, refused: tuple[ScoredSpan, ...], total: int
) -> UserError | Unavailable:
    lines = shortlist([one.refusal or one.span for one in refused], 3, " | ")
    found = f"{len(refused)} of {total} were refused: {lines}"
    if all(one.retry for one in refused):
        return Unavailable(
            "SCORE-LATER",
            request.pipeline.name,
            "every span that is asked for must be there whole",
            found,
            "The others are scored; it is tried again",
        )
    return UserError(
        "SCORE-REFUSED",
        request.pipeline.name,
        "every span that is asked for must be one that the version can score",
        found,
        "The others are scored. Correct these, or ask for the newest spans alone (score.spans)",
    )


def _notes(one: ScoredSpan) -> list[str]:
    lines = [
        *(f"{name}: {count(n, 'cell')} not of its type" for name, n in one.unreadable.items()),
        *(f"{name}: {count(n, 'cell')} with a text unseen" for name, n in one.unseen.items()),
        *one.notes,
    ]
    return [f"{one.span}: {line}" for line in lines]
