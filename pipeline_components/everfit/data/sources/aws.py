"""Clients of AWS, made once: making one costs more than most of what is then asked of it."""

from __future__ import annotations

import os
from functools import lru_cache
from typing import Any


def client(service: str) -> Any:
    """A client of S3 or SQS; endpoint and credentials as boto3 finds them, now.

    Safe to use from several threads.
    """
    around = tuple(sorted((k, v) for k, v in os.environ.items() if k.startswith("AWS_")))
    return _client(service, around)


def forget_clients() -> None:
    """Make the next client anew, with the credentials of then."""
    _client.cache_clear()


@lru_cache(maxsize=4)
def _client(service: str, around: tuple[tuple[str, str], ...]) -> Any:
    del around  # only for the cache: another endpoint or key is another client
    import boto3
    from botocore.config import Config

    return boto3.session.Session().client(
        service,
        config=Config(
            connect_timeout=10,
            read_timeout=60,
            max_pool_connections=50,
            retries={"max_attempts": 4, "mode": "standard"},
        ),
    )
