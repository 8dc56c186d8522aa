"""What a failure of S3 means for who reads a source or writes into it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from everfit.contracts.aws_errors import failure_of
from everfit.contracts.errors import CredentialsError, EverfitError, SourceError, Unavailable
from everfit.contracts.messages.spans import SpanRef
from everfit.data.sources.refused import changed, gone


@contextmanager
def explained(where: str, ref: SpanRef | None = None) -> Iterator[None]:
    """Raise what botocore raises as an error of ours.

    Parameters
    ----------
    where : str
        The address asked for; holds no secret.
    ref : SpanRef, optional
        The span that is read, which is refused where it is another one by now.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (ClientError, BotoCoreError, OSError) as error:
        raise _explained(error, where, ref) from error


def _explained(error: Exception, where: str, ref: SpanRef | None) -> EverfitError:
    failure = failure_of(error)
    found = f"S3 answered {failure.found}" if failure.answered else failure.found
    match failure.kind:
        case "precondition" if ref is not None:
            return changed(ref, "it was written to while it was opened")
        case "no-object" if ref is not None:
            return gone(ref)
        case "no-object" | "no-container":
            return SourceError(
                "SOURCE-MISSING",
                where,
                "the source must exist",
                found,
                "Correct source.uri, or EVERFIT_DATA where it says {data}",
            )
        case "credentials":
            return CredentialsError(
                "SOURCE-CREDENTIALS",
                where,
                "credentials must allow listing and reading",
                found,
                "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile or role that may "
                "read it",
            )
        case "configuration":
            return SourceError(
                "SOURCE-URI",
                where,
                "an S3 source is s3://bucket/prefix, in a region that is set",
                found,
                "Correct source.uri, AWS_DEFAULT_REGION or AWS_ENDPOINT_URL",
            )
    return Unavailable(
        "SOURCE-UNAVAILABLE",
        where,
        "S3 must answer",
        found,
        "Check the network and AWS_ENDPOINT_URL, and try again",
    )
