"""The kinds of failure of S3 and SQS: the one table of their error codes.

Three rooms talk to AWS (the store, S3 sources, the queue of a source), each with its own words for
a person. They agree here on what a code means. botocore's exceptions are told by the names of their
classes, so that nothing of botocore is imported; of an exception only the code or the class is
repeated, for its text may hold an address with a signature or a password.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

FailureKind = Literal[
    "credentials",
    "configuration",
    "no-container",
    "no-object",
    "precondition",
    "conflict",
    "no-upload",
    "empty-range",
    "unsupported",
    "altered",
    "unavailable",
]
"""``no-container``: bucket or queue; ``precondition``: an ``If-Match`` or ``If-None-Match`` failed;
``altered``: a checksum differs; ``unavailable``: whatever may pass by itself."""

_CODES: dict[FailureKind, tuple[str, ...]] = {
    "credentials": (
        "401",
        "403",
        "AccessDenied",
        "AccessDeniedException",
        "AllAccessDisabled",
        "AuthFailure",
        "ExpiredToken",
        "Forbidden",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidToken",
        "SignatureDoesNotMatch",
        "TokenRefreshRequired",
        "Unauthorized",
        "UnauthorizedAccess",
    ),
    "no-container": (
        "AWS.SimpleQueueService.NonExistentQueue",
        "NoSuchBucket",
        "QueueDoesNotExist",
    ),
    "no-object": ("404", "NoSuchKey", "NoSuchVersion", "NotFound"),
    "precondition": ("412", "PreconditionFailed"),
    "conflict": ("409", "ConditionalRequestConflict", "OperationAborted"),
    "no-upload": ("NoSuchUpload",),
    "empty-range": ("416", "InvalidRange"),
    "unsupported": ("501", "NotImplemented"),
}

_CLASSES: dict[FailureKind, tuple[str, ...]] = {
    "credentials": (
        "ConfigNotFound",
        "ConfigParseError",
        "CredentialRetrievalError",
        "NoCredentialsError",
        "PartialCredentialsError",
        "ProfileNotFound",
        "TokenRetrievalError",
    ),
    "configuration": (
        "InvalidRegionError",
        "NoRegionError",
        "ParamValidationError",
        "ValueError",  # a malformed endpoint
    ),
    "altered": ("FlexibleChecksumError",),
}

KIND_OF_CODE: dict[str, FailureKind] = {
    code: kind for kind, codes in _CODES.items() for code in codes
}
KIND_OF_CLASS: dict[str, FailureKind] = {
    name: kind for kind, names in _CLASSES.items() for name in names
}


@dataclass(frozen=True)
class AwsFailure:
    """What went wrong.

    Attributes
    ----------
    kind : str
    found : str
        The code that was answered, or the name of the exception's class; of a parameter that is
        not valid, why.
    answered : bool
        Whether the service answered at all.
    """

    kind: FailureKind
    found: str
    answered: bool


@runtime_checkable
class _Answer(Protocol):
    """What botocore's ClientError offers."""

    response: Mapping[str, Any]


def failure_of(error: Exception) -> AwsFailure:
    """What an exception of boto3 or botocore means.

    Parameters
    ----------
    error : Exception
        A ``ClientError``, a ``BotoCoreError``, or what a socket or a malformed address raises.
    """
    classes = [kind.__name__ for kind in type(error).__mro__]
    if "ClientError" in classes and isinstance(error, _Answer):
        code = str(error.response.get("Error", {}).get("Code", "unknown"))
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        kind = KIND_OF_CODE.get(code) or KIND_OF_CODE.get(str(status), "unavailable")
        return AwsFailure(kind, code if code == str(status) else f"{code} ({status})", True)
    kinds = (KIND_OF_CLASS[name] for name in classes if name in KIND_OF_CLASS)
    # What is wrong with a parameter stands in the last line: a bucket's name, and no address.
    found = str(error).splitlines()[-1] if classes[0] == "ParamValidationError" else classes[0]
    return AwsFailure(next(kinds, "unavailable"), found, False)
