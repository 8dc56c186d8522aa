"""What a failure of S3 means for the store; never shows a key, a token or a signed address."""

from __future__ import annotations

from everfit.contracts.aws_errors import failure_of
from everfit.contracts.errors import CredentialsError, EverfitError, Unavailable, UserError
from everfit.storage.store.base import altered


def explained(error: Exception, url: str) -> EverfitError:
    """The error to raise for one of boto3's.

    Parameters
    ----------
    error : Exception
        From botocore.
    url : str
        Of the store.
    """
    failure = failure_of(error)
    found = f"S3 answered {failure.found}" if failure.answered else failure.found
    match failure.kind:
        case "credentials" if failure.answered:
            return CredentialsError(
                "STORE-CREDENTIALS",
                url,
                "the credentials must allow s3:GetObject, s3:PutObject and s3:ListBucket here",
                found,
                "Correct the AWS_* settings or the bucket's policy",
            )
        case "credentials":
            return CredentialsError(
                "STORE-CREDENTIALS",
                url,
                "credentials for S3 must be found",
                found,
                "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or give a role",
            )
        case "configuration":
            return UserError(
                "STORE-URL",
                url,
                "bucket, region and endpoint must be well-formed",
                found,
                "Correct EVERFIT_STORE, AWS_REGION or AWS_ENDPOINT_URL",
            )
        case "no-container":
            return UserError(
                "STORE-BUCKET",
                url,
                "the bucket must exist",
                "it does not",
                "Create it, or correct EVERFIT_STORE",
            )
        case "unsupported":
            return UserError(
                "STORE-CONDITIONAL",
                url,
                "the object storage must support If-None-Match on writes",
                found,
                "Upgrade it, or use another store",
            )
        case "altered":
            return altered(url, "object")
    return Unavailable(
        "STORE-UNAVAILABLE",
        url,
        "S3 must answer",
        found,
        "Check the network and AWS_ENDPOINT_URL, and try again",
    )
