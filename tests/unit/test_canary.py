"""The search finds what it is there to find: a search that finds nothing proves nothing.

And the URLs that nobody encoded: they fall apart within the password, and a part of it looks like
a host or a port. What happens with whole services is in ``tests/dags/test_canary.py``.
"""

from __future__ import annotations

import base64
import gzip
import json
import sqlite3
import subprocess
import sys
from urllib.parse import quote

import boto3
import pytest

from everfit.contracts.errors import EverfitError
from everfit.contracts.spec.source import read_source
from everfit.data.sources.sql import connect
from everfit.storage.ledger import open_ledger
from tests.canary import Canaries, ProcessList, find

SECRET = "c4nary/of+all=things"
CANARIES = Canaries({"aws": SECRET, "other": "another-canary"})

SHAPES = [
    SECRET,
    f"postgresql://user:{quote(SECRET, safe='')}@host/db",
    json.dumps({"password": SECRET}),
    "Basic " + base64.b64encode(f"user:{SECRET}".encode()).decode(),
    "Basic " + base64.b64encode(f"a_user:{SECRET}".encode()).decode(),
    "Basic " + base64.b64encode(f"an_user:{SECRET}".encode()).decode(),
    base64.b64encode(SECRET.encode()).decode(),
]


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_is_found_in_a_file(tmp_path, shape):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "log").write_text(f"line\n{shape}\nline")
    (found,) = find(CANARIES, [tmp_path])
    assert (found.canary, found.where) == ("aws", str(tmp_path / "deep" / "log"))


def test_names_of_files_and_packed_files_are_looked_at(tmp_path):
    (tmp_path / "another-canary.txt").write_text("")
    (tmp_path / "log.gz").write_bytes(gzip.compress(SECRET.encode()))
    assert sorted(f.canary for f in find(CANARIES, [tmp_path])) == ["aws", "other"]
    assert find(CANARIES, [tmp_path], but=["log.gz"])[0].canary == "other"


def test_nothing_is_found_where_nothing_is(tmp_path):
    (tmp_path / "log").write_text("another canar, and c4nary of all things")
    assert find(CANARIES, [tmp_path]) == []


def test_every_table_is_looked_at(tmp_path):
    with sqlite3.connect(tmp_path / "a.db") as database:
        database.execute("CREATE TABLE xcom (value BLOB)")
        database.execute('CREATE TABLE "order" (text TEXT)')
        database.execute("INSERT INTO xcom VALUES (?)", (SECRET.encode(),))
        database.execute('INSERT INTO "order" VALUES (?)', (SHAPES[1],))
    database.close()
    url = f"sqlite:///{tmp_path / 'a.db'}"
    assert {str(f) for f in find(CANARIES, databases=[url])} == {
        "aws in table xcom, value",
        "aws in table order, text",
    }
    assert len(find(CANARIES, databases=[url], but=["xcom"])) == 1


def test_objects_and_their_metadata_are_looked_at(bucket):
    client = boto3.client("s3")
    client.put_object(Bucket=bucket, Key="a", Body=SECRET.encode())
    client.put_object(Bucket=bucket, Key="b", Body=b"", Metadata={"who": "another-canary"})
    client.put_object(Bucket=bucket, Key="c", Body=b"nothing")
    assert {str(f) for f in find(CANARIES, buckets=[(client, bucket)])} == {
        f"aws in s3://{bucket}/a",
        f"other in s3://{bucket}/b",
    }


def test_what_a_command_prints_is_looked_at():
    command = [sys.executable, "-c", "import sys; print('another-' + 'canary', file=sys.stderr)"]
    ((canary, _),) = find(CANARIES, commands=[command])
    assert canary == "other"
    with pytest.raises(subprocess.CalledProcessError):
        find(CANARIES, commands=[[sys.executable, "-c", "raise SystemExit(1)"]])


def test_the_process_list_is_looked_at():
    shown = subprocess.Popen([sys.executable, "-c", "input()", SECRET], stdin=subprocess.PIPE)
    try:
        with ProcessList(CANARIES) as watched:
            watched.look()
    finally:
        shown.kill()
        shown.communicate()
    assert {found.canary for found in watched.found} == {"aws"}


MARKS = ("/", "@", ":", "#", "?", "%", " ", "[", "]", "&")


@pytest.mark.parametrize("mark", MARKS)
def test_a_ledgers_password_that_nobody_encoded(mark, monkeypatch):
    monkeypatch.setattr("everfit.storage.ledger.server_connection.CONNECT_SECONDS", 1)
    url = f"postgresql+psycopg://me:canary{mark}of-ledger@127.0.0.1:9/db"
    with pytest.raises(EverfitError) as caught, open_ledger(url) as ledger:
        ledger.runs("none")
    assert caught.value.line.startswith("LEDGER-")
    assert "canary" not in caught.value.line
    assert "of-ledger" not in caught.value.line


@pytest.mark.parametrize("mark", MARKS)
def test_a_sources_password_that_nobody_encoded(mark, monkeypatch):
    url = f"postgresql+psycopg://me:canary{mark}of-source@127.0.0.1:9/db"
    monkeypatch.setenv("EVERFIT_CONN_TRIPS", url)
    source = read_source(uri="sql", connection="trips", query="SELECT 1", watermark="at")
    with pytest.raises(EverfitError) as caught, connect(source):
        pass
    assert caught.value.line.startswith("SOURCE-")
    assert "canary" not in caught.value.line
    assert "of-source" not in caught.value.line
