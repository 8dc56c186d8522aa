"""A source's queue: waiting for notifications, and deleting those that were heeded.

Only what tells of this very bucket and prefix is ever deleted, and S3's own test message.
Anything else is left where it is: it may be another reader's, and a redrive policy moves away
what nobody can read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from pipeline_components.contracts.errors import CredentialsError, SourceError, Unavailable
from pipeline_components.contracts.spec import SourceSpec
from pipeline_components.source.aws import client
from pipeline_components.source.s3 import S3Source

from .notifications import TEST, keys_of

WAIT = 20
"""Seconds a request waits for a message: the most SQS allows."""

_AT_ONCE = 10
"""Messages in one request: the most SQS allows."""


_MOST = 1000
"""Messages heeded by one look."""


@dataclass(frozen=True)
class Rung:
    """What came."""

    receipts: tuple[str, ...]
    """Of messages about this source; each is deleted once it was heeded."""
    others: int = 0
    """Messages about something else, or about nothing that can be read; left in the queue."""
    problem: str = ""
    """A sentence on the first of those."""


def receive(source: SourceSpec, wait: int = WAIT) -> Rung:
    """Wait until there are messages, or the time is over.

    Raises
    ------
    SourceError, CredentialsError, Unavailable
        If the queue cannot be read.
    """
    ours = S3Source(source)
    receipts: list[str] = []
    problem, others = "", 0
    while len(receipts) + others < _MOST and (messages := _messages(source, wait)):
        wait = 0  # what else is there belongs to the same look
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
    return Rung(tuple(receipts), others, problem)


def _messages(source: SourceSpec, wait: int) -> list[dict[str, Any]]:
    with _errors(source):
        reply = client("sqs").receive_message(
            QueueUrl=source.queue, MaxNumberOfMessages=_AT_ONCE, WaitTimeSeconds=wait
        )
    return list(reply.get("Messages", ()))


def delete(source: SourceSpec, receipts: Sequence[str]) -> int:
    """Delete messages that were heeded; gives back how many. One that is gone is no error.

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
def _errors(source: SourceSpec) -> Iterator[None]:
    from botocore import exceptions

    where = f"source.queue {source.queue}"
    try:
        yield
    except exceptions.ClientError as error:
        raise _translated(where, error) from error
    except (exceptions.NoCredentialsError, exceptions.PartialCredentialsError,
            exceptions.NoRegionError) as error:  # fmt: skip
        raise _credentials(where, str(error)) from error
    except (exceptions.BotoCoreError, OSError) as error:
        raise Unavailable(
            "QUEUE-UNAVAILABLE", where, "SQS must answer", type(error).__name__,
            "Check the network and AWS_ENDPOINT_URL; the source is looked at meanwhile",
        ) from error  # fmt: skip


def _translated(where: str, error: Any) -> CredentialsError | SourceError | Unavailable:
    code = str(error.response.get("Error", {}).get("Code", ""))
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if "NonExistentQueue" in code or "QueueDoesNotExist" in code:
        return SourceError(
            "QUEUE-MISSING", where, "the queue must exist", f"SQS says {code}",
            "Correct source.queue",
        )  # fmt: skip
    if status in (401, 403) or "Denied" in code:
        return _credentials(where, f"SQS says {code}")
    return Unavailable(
        "QUEUE-UNAVAILABLE", where, "SQS must answer", f"it says {code} ({status})",
        "Nothing to do if it comes back; the source is looked at meanwhile",
    )  # fmt: skip


def _credentials(where: str, found: str) -> CredentialsError:
    return CredentialsError(
        "QUEUE-CREDENTIALS", where, "credentials must allow sqs:ReceiveMessage and "
        "sqs:DeleteMessage", found, "Allow both to the role or key of the triggerer",
    )  # fmt: skip
