"""What S3's complaints mean for a person; never shows a key, a token or a signed address."""

from __future__ import annotations

from botocore.exceptions import (
    ClientError,
    ConfigNotFound,
    ConfigParseError,
    CredentialRetrievalError,
    FlexibleChecksumError,
    InvalidRegionError,
    NoCredentialsError,
    NoRegionError,
    ParamValidationError,
    PartialCredentialsError,
    ProfileNotFound,
    TokenRetrievalError,
)

from pipeline_components.contracts.errors import (
    CredentialsError,
    EverfitError,
    Unavailable,
    UserError,
)

from .base import altered

_NO_CREDENTIALS = (
    NoCredentialsError, PartialCredentialsError, CredentialRetrievalError, TokenRetrievalError,
    ProfileNotFound, ConfigNotFound, ConfigParseError,
)  # fmt: skip
_REFUSED = {
    "403", "AccessDenied", "AllAccessDisabled", "AuthFailure", "ExpiredToken", "Forbidden",
    "InvalidAccessKeyId", "InvalidToken", "SignatureDoesNotMatch", "TokenRefreshRequired",
    "UnauthorizedAccess", "401", "Unauthorized",
}  # fmt: skip
_UNABLE = {"NotImplemented", "501"}


def explained(error: Exception, url: str) -> EverfitError:
    """The error to raise for one of boto3's.

    Parameters
    ----------
    error : Exception
        From botocore. Only its class and code are told: its text may hold an address with a
        signature or a password.
    url : str
        Of the store.
    """
    if isinstance(error, ClientError):
        return _answered(str(error.response["Error"].get("Code", "unknown")), url)
    name = type(error).__name__
    if isinstance(error, _NO_CREDENTIALS):
        return CredentialsError(
            "STORE-CREDENTIALS",
            url,
            "credentials for S3 must be found",
            name,
            "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or give a role",
        )
    if isinstance(error, NoRegionError | InvalidRegionError | ParamValidationError | ValueError):
        return UserError(
            "STORE-URL",
            url,
            "bucket, region and endpoint must be well-formed",
            name,
            "Correct EVERFIT_STORE, AWS_REGION or AWS_ENDPOINT_URL",
        )
    if isinstance(error, FlexibleChecksumError):
        return altered(url, "object")
    return Unavailable(
        "STORE-UNAVAILABLE",
        url,
        "S3 must answer",
        name,
        "Check the network and AWS_ENDPOINT_URL, and try again",
    )


def _answered(code: str, url: str) -> EverfitError:
    if code in _REFUSED:
        return CredentialsError(
            "STORE-CREDENTIALS",
            url,
            "the credentials must allow s3:GetObject, s3:PutObject and s3:ListBucket here",
            f"S3 answered {code}",
            "Correct the AWS_* settings or the bucket's policy",
        )
    if code == "NoSuchBucket":
        return UserError(
            "STORE-BUCKET",
            url,
            "the bucket must exist",
            "it does not",
            "Create it, or correct EVERFIT_STORE",
        )
    if code in _UNABLE:
        return UserError(
            "STORE-CONDITIONAL",
            url,
            "the object storage must support If-None-Match on writes",
            f"it answered {code}",
            "Upgrade it, or use another store",
        )
    return Unavailable(
        "STORE-UNAVAILABLE", url, "S3 must answer", f"it answered {code}", "Try again"
    )
