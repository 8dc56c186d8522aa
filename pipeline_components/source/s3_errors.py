"""What the complaints of S3 mean for who reads a source or writes into it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pipeline_components.contracts.errors import (
    CredentialsError,
    EverfitError,
    SourceError,
    Unavailable,
)
from pipeline_components.contracts.spans import SpanRef

from .refused import changed, gone

_REFUSED = {"403", "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken",
            "InvalidToken"}  # fmt: skip
_ABSENT = {"404", "NoSuchKey", "NoSuchVersion"}


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
    from botocore import exceptions

    try:
        yield
    except exceptions.ClientError as error:
        raise _translated(error, ref, where) from error
    except (
        exceptions.NoCredentialsError,
        exceptions.PartialCredentialsError,
        exceptions.ProfileNotFound,
        exceptions.ConfigParseError,
        exceptions.ConfigNotFound,
        exceptions.TokenRetrievalError,
    ) as error:
        raise _credentials(where, str(error)) from error
    except exceptions.NoRegionError as error:
        raise _credentials(where, "no region is set: set AWS_DEFAULT_REGION") from error
    except exceptions.ParamValidationError as error:
        raise SourceError(
            "SOURCE-URI", where, "an S3 source is s3://bucket/prefix",
            str(error).splitlines()[-1], "Correct source.uri",
        ) from error  # fmt: skip
    except (exceptions.BotoCoreError, OSError) as error:
        raise Unavailable(
            "SOURCE-UNAVAILABLE", where, "S3 must answer", type(error).__name__,
            "Check the network and AWS_ENDPOINT_URL, and try again",
        ) from error  # fmt: skip


def _translated(error: Any, ref: SpanRef | None, where: str) -> EverfitError:
    code = str(error.response.get("Error", {}).get("Code", ""))
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if ref is not None and code in ("PreconditionFailed", "412"):
        return changed(ref, "it was written to while it was opened")
    if ref is not None and code in _ABSENT:
        return gone(ref)
    if code == "NoSuchBucket" or status == 404:
        return SourceError(
            "SOURCE-MISSING", where, "the source must exist", f"S3 says {code}",
            "Correct source.uri, or EVERFIT_DATA where it says {data}",
        )  # fmt: skip
    if code in _REFUSED or status in (401, 403):
        return _credentials(where, f"S3 says {code}")
    return Unavailable(
        "SOURCE-UNAVAILABLE", where, "S3 must answer", f"it says {code} ({status})",
        "Try again later",
    )  # fmt: skip


def _credentials(where: str, found: str) -> CredentialsError:
    return CredentialsError(
        "SOURCE-CREDENTIALS", where, "credentials must allow listing and reading", found,
        "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile or role that may read it",
    )  # fmt: skip
