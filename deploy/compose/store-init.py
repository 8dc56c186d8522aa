"""Once at every start: the buckets, and the ledger's tables. Safe to repeat."""

import logging
import os
import sys
import time
from urllib.parse import urlsplit

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from everfit.contracts.errors import EverfitError
from everfit.storage.ledger import open_ledger

PATIENCE = 120.0
THERE = ("BucketAlreadyOwnedByYou", "BucketAlreadyExists")

log = logging.getLogger("store-init")


def make_buckets(names: list[str]) -> None:
    """Make the buckets that are not there; where they may not be made, they must be there."""
    s3 = boto3.client("s3")
    for name in names:
        until = time.monotonic() + PATIENCE
        while True:
            try:
                s3.head_bucket(Bucket=name)
                break
            except ClientError as error:
                if error.response["Error"]["Code"] not in ("404", "NoSuchBucket"):
                    sys.exit(refused(name, error))
            except BotoCoreError as error:
                if time.monotonic() > until:
                    sys.exit(refused(name, error))
                time.sleep(1)
                continue
            try:
                s3.create_bucket(Bucket=name)
                log.info("bucket %s made", name)
            except ClientError as error:
                if error.response["Error"]["Code"] not in THERE:
                    sys.exit(refused(name, error))


def refused(name: str, error: Exception) -> str:
    """One line of what must be fixed."""
    where = os.environ.get("AWS_ENDPOINT_URL") or "AWS"
    return (
        f"BUCKET {name}: must be reachable at {where}; {error}. Correct EVERFIT_S3_* in .env and "
        "deploy/compose/secrets/s3_*, or make the bucket."
    )


logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
addresses = [urlsplit(os.environ[name]) for name in ("EVERFIT_STORE", "EVERFIT_DATA")]
logs = urlsplit(os.environ["EVERFIT_LOGS"])
artifacts = urlsplit(os.environ["EVERFIT_ARTIFACTS"])
make_buckets(sorted({a.netloc for a in (*addresses, logs, artifacts) if a.scheme == "s3"}))
try:
    with open_ledger(os.environ["EVERFIT_LEDGER"]) as ledger:
        ledger.runs("none")
except EverfitError as error:
    sys.exit(str(error))
log.info("The store and the ledger are ready.")
