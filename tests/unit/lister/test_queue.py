"""Queues: S3 announces a new object, the message wakes once and is then deleted."""

from __future__ import annotations

import json
import secrets

import pytest

from everfit.contracts.spec.source import read_source
from everfit.data.listing import queue as messages
from everfit.data.listing.answers import answer


@pytest.fixture
def sqs(s3_environment):
    import boto3

    client = boto3.client("sqs")
    yield client
    client.close()


@pytest.fixture
def queue(sqs):
    return sqs.create_queue(
        QueueName=f"q-{secrets.token_hex(4)}", Attributes={"VisibilityTimeout": "0"}
    )["QueueUrl"]


@pytest.fixture
def s3(bucket, sqs, queue):
    """A bucket that tells the queue of what is put into it."""
    import boto3

    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]
    client = boto3.client("s3")
    client.put_bucket_notification_configuration(
        Bucket=bucket,
        NotificationConfiguration={
            "QueueConfigurations": [{"QueueArn": arn["QueueArn"], "Events": ["s3:ObjectCreated:*"]}]
        },
    )
    yield client
    client.close()


def waiting(sqs, queue):
    return len(sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", []))


def test_messages_of_the_prefix_are_taken_and_the_rest_is_left(s3, sqs, bucket, queue, settings):
    source = read_source(uri=f"s3://{bucket}/in", queue=queue)
    s3.put_object(Bucket=bucket, Key="in/a b.csv", Body=b"x\n1\n")
    s3.put_object(Bucket=bucket, Key="inside-out/a.csv", Body=b"x\n1\n")
    sqs.send_message(QueueUrl=queue, MessageBody="hello")
    came = messages.receive(source, settings, wait=1)
    # The test message that S3 sends first is taken too, where there is one.
    assert 1 <= len(set(came.receipts)) <= 2 and came.others >= 2
    assert "left in the queue" in came.problem
    assert messages.delete(source, came.receipts) == len(came.receipts)
    assert waiting(sqs, queue) == 2
    assert messages.delete(source, came.receipts) in (0, len(came.receipts))  # again does no harm


def test_an_empty_queue_wakes_nobody(queue, bucket, settings):
    source = read_source(uri=f"s3://{bucket}/in", queue=queue)
    assert messages.receive(source, settings, wait=0).receipts == ()


def test_a_burst_is_taken_at_once(s3, sqs, bucket, queue, settings):
    source = read_source(uri=f"s3://{bucket}/in", queue=queue)
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"VisibilityTimeout": "60"})
    for number in range(60):
        s3.put_object(Bucket=bucket, Key=f"in/{number}.csv", Body=b"x\n1\n")
    came = messages.receive(source, settings, wait=1)
    assert len(came.receipts) >= 60
    messages.delete(source, came.receipts)
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"VisibilityTimeout": "0"})
    assert waiting(sqs, queue) == 0


def test_a_queue_that_is_not_there_is_said(queue, bucket, settings):
    source = {"uri": f"s3://{bucket}/in", "queue": f"{queue}-absent"}
    reply = answer({"id": 7, "do": "receive", "source": source}, settings)
    assert reply["id"] == 7 and reply["code"] == "QUEUE-MISSING", json.dumps(reply)
