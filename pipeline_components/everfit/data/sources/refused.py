"""Why one span cannot be used, while the others go on."""

from __future__ import annotations

from everfit.contracts.errors import SourceError
from everfit.contracts.messages.spans import Refusal, SpanRef


class SpanRefused(SourceError):
    """A span that cannot be snapshotted; every code is in ``docs/reference/refusals.md``.

    Parameters
    ----------
    code : str
        ``SPAN-…``.
    ref : SpanRef
        The span.
    must, found, todo : str
        As in every error: what must hold, what was found, the next step.
    retry : bool
        True where the next look may succeed, so that the refusal is not remembered.
    """

    def __init__(
        self,
        code: str,
        ref: SpanRef,
        must: str,
        found: str,
        todo: str,
        *,
        retry: bool = False,
    ) -> None:
        super().__init__(code, ref.name, must, found, todo)
        self.ref, self.retry = ref, retry

    def refusal(self) -> Refusal:
        """The refusal as a value."""
        return Refusal(
            name=self.ref.name,
            fingerprint=self.ref.fingerprint,
            code=self.code,
            message=self.line,
            retry=self.retry,
        )


def gone(ref: SpanRef) -> SpanRefused:
    """A span that was listed and is not there any more."""
    return SpanRefused(
        "SPAN-GONE",
        ref,
        "a span that was listed must still be there when it is read",
        "it has been removed",
        "Put it back, or leave it: the next run lists the source anew",
        retry=True,
    )


def growing(ref: SpanRef, found: str) -> SpanRefused:
    """A span that is still being written."""
    return SpanRefused(
        "SPAN-GROWING",
        ref,
        "a span must be complete before it is read",
        found,
        "Wait for the writer; the next run looks again (write under a .tmp name and rename)",
        retry=True,
    )


def changed(ref: SpanRef, found: str) -> SpanRefused:
    """A span that is not what was listed any more."""
    return SpanRefused(
        "SPAN-CHANGED",
        ref,
        "a span must stay the same from listing to the end of reading",
        found,
        "Nothing of it was kept; the next run reads it anew",
        retry=True,
    )
