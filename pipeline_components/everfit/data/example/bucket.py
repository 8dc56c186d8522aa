"""The example's months as objects in S3: endpoint and credentials as boto3 finds them."""

from __future__ import annotations

from everfit.data.sources.aws import client
from everfit.data.sources.s3_errors import explained


class Months:
    """Objects below a prefix.

    Parameters
    ----------
    address : str
        ``s3://bucket/prefix``, without a slash at its end.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self._bucket, _, self._prefix = address.removeprefix("s3://").partition("/")

    def names(self) -> set[str]:
        """The names that are there.

        Raises
        ------
        SourceError, CredentialsError, Unavailable
            If the bucket cannot be listed.
        """
        with explained(self.address):
            pages = (
                client("s3")
                .get_paginator("list_objects_v2")
                .paginate(Bucket=self._bucket, Prefix=f"{self._prefix}/")
            )
            keys = [item["Key"] for page in pages for item in page.get("Contents", ())]
        return {key.removeprefix(f"{self._prefix}/") for key in keys}

    def write(self, name: str, data: bytes) -> None:
        """Put one object; it appears whole, or not at all.

        Raises
        ------
        SourceError, CredentialsError, Unavailable
            If it cannot be put.
        """
        with explained(f"{self.address}/{name}"):
            client("s3").put_object(
                Bucket=self._bucket,
                Key=f"{self._prefix}/{name}",
                Body=data,
                ContentType="text/csv",
            )
