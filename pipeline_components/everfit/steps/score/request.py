"""What is to be scored: the spec's ``score``, with what a form or a command says in its place."""

from __future__ import annotations

from pathlib import Path

from everfit.champion.journal import moment_of
from everfit.contracts.errors import RequestError
from everfit.contracts.messages.scoring import ScoredSpan, ScoreRequest
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.contracts.spec.score import SpanCount
from everfit.contracts.spec.source import scheme_of
from everfit.engine.context import Context
from everfit.steps.score.destination import DATABASE
from everfit.steps.score.score import score
from everfit.steps.score.version import CHAMPION, EACH_SPAN


def request_of(
    spec: PipelineSpec,
    root: Path,
    *,
    input: str | None = None,
    output: str | None = None,
    spans: SpanCount | None = None,
    version: str | None = None,
    as_of: str | None = None,
) -> ScoreRequest:
    """The complete request.

    Parameters
    ----------
    spec : PipelineSpec
        Its ``score`` counts for what is not given.
    root : Path
        Where relative paths begin: the folder that holds ``dags``.
    input, output, spans, version, as_of : optional
        As ``everfit score`` takes them.

    Raises
    ------
    RequestError
        If nothing says where predictions go.
    """
    said = spec.score
    where = output or (said.output if said else None)
    if where is None:
        raise RequestError(
            "SCORE-OUTPUT",
            spec.name,
            "scoring must be told where predictions go",
            "no output is named, and the spec has no score block",
            "Name one with --output, or add score: {output: …} to the spec",
        )
    given = input or (said.input if said else None)
    if version is None:
        version = said.version if said and as_of is None else CHAMPION
    return ScoreRequest(
        pipeline=spec,
        input=placed(given, root) if given else None,
        output=placed(where, root),
        spans=spans or (said.spans if said else "all"),
        version=version,
        as_of=as_of,
    )


def score_request(request: ScoreRequest, context: Context) -> list[ScoredSpan]:
    """Score what is requested; see ``score``."""
    as_of = request.as_of
    return score(
        request.pipeline,
        context,
        request.output,
        input=request.input,
        version=request.version,
        as_of=as_of if as_of in (None, EACH_SPAN) else moment_of(as_of),
        spans=request.spans,
    )


def placed(address: str, folder: Path) -> str:
    """A relative path below a folder; any other address as it is."""
    if scheme_of(address) or address.startswith(DATABASE) or "{data}" in address:
        return address
    path = Path(address).expanduser()
    return (path if path.is_absolute() else folder / path).as_posix()
