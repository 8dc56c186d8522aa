"""Arrival in a real triggerer: it rings, it survives, and a queue rings at once."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.airflow.processes import descendants
from tests.airflow.stand import Stand, until
from tests.services import new_database

REPOSITORY = Path(__file__).resolve().parents[2]
PYTHON = REPOSITORY / ".venv" / "bin" / "python"
pytestmark = pytest.mark.thorough

NAMES = ("folder", "twin", "bucket", "queue")

AWS = """
import json, os, sys, boto3
client = boto3.client(sys.argv[1])
print(json.dumps(getattr(client, sys.argv[2])(**json.loads(sys.argv[3])), default=str))
"""


class Cloud:
    """An S3 and SQS server in the components' environment, and a hand to use it."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.environ = {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
            "AWS_ACCESS_KEY_ID": "tester",
            "AWS_SECRET_ACCESS_KEY": "s3cret",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        self._port = port
        with (folder / "moto.log").open("wb") as log:
            self.server = subprocess.Popen(
                [PYTHON, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
                stdout=log,
                stderr=log,
            )

    def answers(self) -> bool:
        assert self.server.poll() is None
        with socket.socket() as tried:
            return tried.connect_ex(("127.0.0.1", self._port)) == 0

    def call(self, service: str, what: str, **arguments: Any) -> dict[str, Any]:
        import json

        done = subprocess.run(
            [PYTHON, "-c", AWS, service, what, json.dumps(arguments)],
            env={**os.environ, **self.environ},
            check=True,
            capture_output=True,
            text=True,
        )
        return dict(json.loads(done.stdout))


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    cloud = Cloud(tmp_path_factory.mktemp("cloud"))
    try:
        until(cloud.answers, "moto answers", 60)
        yield cloud
    finally:
        cloud.server.terminate()
        cloud.server.wait(30)


@pytest.fixture(scope="module")
def stand(
    tmp_path_factory: pytest.TempPathFactory, postgresql_url: str, cloud: Cloud
) -> Iterator[Stand]:
    """An Airflow whose sweeps are too rare to be what notices anything."""
    bucket = f"bucket-{secrets.token_hex(4)}"
    cloud.call("s3", "create_bucket", Bucket=bucket)
    url = cloud.call("sqs", "create_queue", QueueName="arrivals")["QueueUrl"]
    arn = cloud.call("sqs", "get_queue_attributes", QueueUrl=url, AttributeNames=["QueueArn"])
    cloud.call(
        "s3",
        "put_bucket_notification_configuration",
        Bucket=bucket,
        NotificationConfiguration={
            "QueueConfigurations": [
                {"QueueArn": arn["Attributes"]["QueueArn"], "Events": ["s3:ObjectCreated:*"]}
            ]
        },
    )
    stand = Stand(
        tmp_path_factory.mktemp("watching"),
        new_database(postgresql_url),
        new_database(postgresql_url),
        environ={**cloud.environ, "EVERFIT_SWEEP": "1440"},
        schedulers=1,
    )
    stand.bucket, stand.queue_url = bucket, url
    stand.pipeline("folder")
    stand.pipeline("twin", source={"uri": "{data}/folder/*.csv"})
    stand.pipeline("bucket", source={"uri": f"s3://{bucket}/polled/"})
    # Its own looks are rare; that its message is deleted shows that the queue was heard.
    stand.pipeline("queue", source={"uri": f"s3://{bucket}/told/", "queue": url, "settle": 0})
    stand.arrive("folder", [0])
    stand.start()
    try:
        stand.ready(*(f"{name}.monitor" for name in NAMES))
        yield stand
    finally:
        stand.stop()


def rings(stand: Stand, name: str) -> list[dict[str, Any]]:
    """What the trigger of a pipeline said, oldest first."""
    from everfit_launch.errors import LaunchError

    assets = stand.api.call("GET", "/assets?limit=1000")["assets"]
    (number,) = [asset["id"] for asset in assets if asset["name"] == f"{name}.source"]
    path = f"/assets/events?limit=100&order_by=timestamp&asset_id={number}"
    try:
        events = stand.api.call("GET", path)["asset_events"]
    except LaunchError:  # a busy SQLite is locked now and then
        return []
    return [e["extra"]["payload"] for e in events if e["extra"].get("from_trigger")]


def spans_told(stand: Stand, name: str) -> int:
    said = rings(stand, name)
    return said[-1]["spans"] if said else 0


def put(stand: Stand, cloud: Cloud, key: str) -> None:
    cloud.call("s3", "put_object", Bucket=stand.bucket, Key=key, Body="x\n1\n")


def listers(stand: Stand) -> list[int]:
    """The listers of this Airflow."""
    own = f"EVERFIT_HOME={stand.settings.home}".encode()
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command = (entry / "cmdline").read_bytes()
            environment = (entry / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"everfit.data.listing" in command and own in environment:
            found.append(int(entry.name))
    return found


def test_a_file_rings_for_every_pipeline_that_reads_it_and_one_process_looks(stand):
    until(lambda: spans_told(stand, "folder") == spans_told(stand, "twin") == 1, "the first file")
    stand.arrive("folder", [1])
    until(lambda: spans_told(stand, "folder") == spans_told(stand, "twin") == 2, "the second")
    time.sleep(3)  # some looks at the same files
    states = [payload["state"] for payload in until(lambda: rings(stand, "folder"), "its rings")]
    assert len(states) == len(set(states)) == 2
    (lister,) = listers(stand)
    assert lister in descendants(stand.airflow.services.pid("triggerer"))
    # And the doorbell has opened: a run of the monitoring that nobody else started.
    runs = until(lambda: stand.runs("folder.monitor"), "a run of the monitoring")
    assert {run["run_type"] for run in runs} == {"asset_triggered"}


def test_an_object_rings_by_polling_and_by_queue(stand, cloud):
    put(stand, cloud, "polled/2020-03-02.csv")
    put(stand, cloud, "told/2020-03-02.csv")
    until(lambda: spans_told(stand, "bucket") == 1, "the object that is polled for")
    until(lambda: spans_told(stand, "queue") == 1, "the object that is told of")
    counted = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]

    def left() -> int:
        found = cloud.call(
            "sqs", "get_queue_attributes", QueueUrl=stand.queue_url, AttributeNames=counted
        )["Attributes"]
        return sum(int(found[name]) for name in counted)

    # That of the other prefix is left, for whoever it is for.
    until(lambda: left() == 1, "the message that was heeded is deleted")


def test_a_killed_triggerer_leaves_nothing_and_its_successor_misses_nothing(stand):
    told = until(lambda: spans_told(stand, "folder"), "what was told")
    (old,) = listers(stand)
    stand.kill("triggerer")
    until(lambda: listers(stand) == [], "the lister ends with its triggerer", 30)
    stand.arrive("folder", [7])
    stand.restart("triggerer")
    until(lambda: spans_told(stand, "folder") == told + 1, "the file that came meanwhile")
    (new,) = listers(stand)
    assert new != old
    os.kill(new, signal.SIGKILL)
    stand.arrive("folder", [8])
    until(lambda: spans_told(stand, "folder") == told + 2, "a lister is started again")
