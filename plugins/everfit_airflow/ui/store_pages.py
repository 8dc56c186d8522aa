"""The bytes of a report, from wherever the store is; whoever asks verifies their digest."""

from __future__ import annotations

import logging
import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

log = logging.getLogger(__name__)

PATIENCE = 10
"""Seconds that a page waits for S3; a browser waits for the page."""


def readable(store: str) -> bool:
    """Whether Airflow's server reads pages of this store: a folder, or S3 with its provider."""
    if store.startswith("s3://"):
        return find_spec("airflow.providers.amazon") is not None
    return store.startswith("file://")


def blob(store: str, digest: str, most: int) -> bytes | None:
    """What a store has under a digest.

    Parameters
    ----------
    store : str
        Store URL: ``file://``, or ``s3://`` where the amazon provider is installed.
    digest : str
        64 hexadecimal digits; not verified here.
    most : int
        Bytes; of anything larger nothing is read.

    Returns
    -------
    bytes or None
        None where there is nothing, or it is too large, or the store does not answer.
    """
    parts = urlsplit(store)
    key = f"blobs/{digest[:2]}/{digest}"
    if parts.scheme == "file":
        return _in_folder(Path(unquote(parts.path), key), most)
    if parts.scheme == "s3":
        prefix = parts.path.strip("/")
        return _in_bucket(parts.netloc, f"{prefix}/{key}" if prefix else key, most)
    return None


def _in_folder(path: Path, most: int) -> bytes | None:
    try:
        return path.read_bytes() if path.stat().st_size <= most else None
    except OSError:
        return None


def _in_bucket(bucket: str, key: str, most: int) -> bytes | None:
    try:
        found = s3_client().get_object(Bucket=bucket, Key=key)
        with found["Body"] as body:
            if found["ContentLength"] > most:
                return None
            data: bytes = body.read(most + 1)
    except ImportError:
        log.warning("Reports in S3 need apache-airflow-providers-amazon beside Airflow.")
        return None
    except Exception as error:  # botocore's, which is not imported here, or of the connection
        code = getattr(error, "response", {}).get("Error", {}).get("Code", type(error).__name__)
        if code not in ("NoSuchKey", "404"):
            # Never its text, which may hold what it was asked with.
            log.warning("A report could not be read from the store's bucket: %s", code)
        return None
    return data if len(data) <= most else None


def s3_client() -> Any:
    """The provider's client, which gives up before whoever waits for the page does.

    As whom: the connection that the runners file names for AWS, else AWS's usual chain.
    """
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook
    from botocore.config import Config

    from everfit_airflow.runners.choice import installation

    connection = installation(os.environ).connections.aws

    patient = Config(
        connect_timeout=PATIENCE, read_timeout=PATIENCE, retries={"total_max_attempts": 2}
    )
    return S3Hook(aws_conn_id=connection, config=patient).get_conn()
