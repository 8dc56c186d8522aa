"""A source's queue: wait for notifications of new objects, and delete those that were acted upon.

Only a message about this very bucket and prefix is ever deleted, and S3's own test message.
Anything else stays in the queue: it may be for another reader, and a redrive policy moves away what
nobody can read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from everfit.contracts.aws_errors import failure_of
from everfit.contracts.errors import CredentialsError, EverfitError, SourceError, Unavailable
from everfit.contracts.settings import Settings
from everfit.contracts.spec.source import S3SourceSpec
from everfit.data.listing.notifications import TEST, keys_of
from everfit.data.sources.aws import client
from everfit.data.sources.s3 import S3Source

WAIT = 20
"""Seconds a request waits for a message: the most SQS allows."""

_AT_ONCE = 10
"""Messages in one request: the most SQS allows."""


_MOST = 1000
"""Messages taken by one call."""


@dataclass(frozen=True)
class Received:
    """The messages that came."""

    receipts: tuple[str, ...]
    """Of messages about this source; each is deleted once the source was listed."""
    others: int = 0
    """Messages about something else, or about nothing that can be read; left in the queue."""
    problem: str = ""
    """A sentence on the first of those."""


def receive(source: S3SourceSpec, settings: Settings, wait: int = WAIT) -> Received:
    """Wait until there are messages, or the time is over.

    Raises
    ------
    SourceError, CredentialsError, Unavailable
        If the queue cannot be read.
    """
    ours = S3Source(source, settings)
    receipts: list[str] = []
    problem, others = "", 0
    while len(receipts) + others < _MOST and (messages := _messages(source, wait)):
        wait = 0  # what else is there belongs to the same wake
        for message in messages:
            keys = keys_of(message.get("Body", ""))
            if keys is not None and any(key == TEST or ours.holds(*key) for key in keys):
                receipts.append(message["ReceiptHandle"])
                continue
            others += 1
            number = message.get("MessageId", "?")
            what = "is no notification of S3" if keys is None else f"is not about {source.uri}"
            problem = problem or f"message {number} {what}; it is left in the queue"
        if others:
            break  # a queue that others use too is not emptied in one go
    return Received(tuple(receipts), others, problem)


def _messages(source: S3SourceSpec, wait: int) -> list[dict[str, Any]]:
    with _errors(source):
        reply = client("sqs").receive_message(
            QueueUrl=source.queue, MaxNumberOfMessages=_AT_ONCE, WaitTimeSeconds=wait
        )
    return list(reply.get("Messages", ()))


def delete(source: S3SourceSpec, receipts: Sequence[str]) -> int:
    """Delete messages that were acted upon; returns how many. One that is gone is no error.

    Raises
    ------
    SourceError, CredentialsError, Unavailable
        If the queue cannot be written.
    """
    deleted = 0
    for first in range(0, len(receipts), _AT_ONCE):
        some = receipts[first : first + _AT_ONCE]
        with _errors(source):
            reply = client("sqs").delete_message_batch(
                QueueUrl=source.queue,
                Entries=[{"Id": str(n), "ReceiptHandle": r} for n, r in enumerate(some)],
            )
        deleted += len(reply.get("Successful", ()))
    return deleted


@contextmanager
def _errors(source: S3SourceSpec) -> Iterator[None]:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (ClientError, BotoCoreError, OSError) as error:
        raise _explained(error, f"source.queue {source.queue}") from error


def _explained(error: Exception, where: str) -> EverfitError:
    failure = failure_of(error)
    found = f"SQS answered {failure.found}" if failure.answered else failure.found
    match failure.kind:
        case "no-container":
            return SourceError(
                "QUEUE-MISSING", where, "the queue must exist", found, "Correct source.queue"
            )
        case "credentials" | "configuration":
            return CredentialsError(
                "QUEUE-CREDENTIALS",
                where,
                "credentials must allow sqs:ReceiveMessage and sqs:DeleteMessage",
                found,
                "Allow both to the role or key of the triggerer",
            )
    return Unavailable(
        "QUEUE-UNAVAILABLE",
        where,
        "SQS must answer",
        found,
        "Check the network and AWS_ENDPOINT_URL; the source is listed on its schedule meanwhile",
    )
