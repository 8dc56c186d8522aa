"""The dossier: all that a version can be rebuilt from, the same bytes whenever it is made."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from pipeline_components.contracts.base import canonical_json, digest_of
from pipeline_components.contracts.dossier import Dossier
from pipeline_components.contracts.errors import Unavailable
from pipeline_components.contracts.requests import TrainResult
from pipeline_components.identity import code_digest, environment, source_digest
from pipeline_components.register import door
from pipeline_components.store import blob_key
from pipeline_components.version.dossier import (
    find_dossier,
    lock,
    packed,
    source_files,
    store_dossier,
)
from pipeline_components.version.made_with import made_as_told, made_here
from tests.unit.register.small_run import small_run

ROOT = Path(__file__).resolve().parents[3]


def kept(context, request) -> Dossier:
    record = context.ledger.version(request.run_key)
    return Dossier.model_validate_json(context.store.get(record.dossier))


def test_a_version_names_all_it_was_made_of(context):
    request = small_run(context)
    request = request.model_copy(update={"upstream": {"plan": ("a" * 64,), "gate": ("b" * 64,)}})
    door.run(request, context)
    dossier = kept(context, request)
    assert dossier.request == request
    assert dossier.environment == environment()
    (train,) = dossier.upstream["train"]
    assert TrainResult.model_validate_json(context.store.get(train)) == request.evaluated.candidate
    assert dossier.upstream["plan"] == ("a" * 64,) and dossier.upstream["gate"] == ("b" * 64,)


def test_equal_requests_give_equal_bytes(context):
    request = small_run(context)
    first = store_dossier(request, context)
    assert store_dossier(request, context) == first
    assert find_dossier(request.run_key, context.store)[0] == first
    assert context.store.get(first) == canonical_json(
        find_dossier(request.run_key, context.store)[1]
    )


def test_the_code_is_the_code_of_the_run(context):
    request = small_run(context)
    door.run(request, context)
    data = context.store.get(kept(context, request).code.digest)
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        entries = archive.getmembers()
        files = {entry.name: archive.extractfile(entry).read() for entry in entries}
    assert {(e.mtime, e.uid, e.gid, e.uname, e.mode) for e in entries} == {(0, 0, 0, "", 0o644)}
    assert [e.name for e in entries] == sorted(files)
    python = {
        name.removeprefix("pipeline_components/"): content
        for name, content in files.items()
        if name.endswith(".py")
    }
    assert source_digest(python) == request.code == code_digest()
    assert "pipeline_components/ledger/migrations/script.py.mako" in files
    assert not any("__pycache__" in name for name in files)


def test_the_digest_of_code_is_that_of_names_and_contents_in_the_order_of_folders():
    """By hand: each name, a zero byte, the sha-256 of the content; ``a/b`` before ``a.py``."""
    files = {"a.py": b"2", "a/b.py": b"1"}
    total = hashlib.sha256()
    for name in ("a/b.py", "a.py"):
        total.update(name.encode() + b"\0" + hashlib.sha256(files[name]).digest())
    assert source_digest(files) == total.hexdigest()


def test_the_code_runs_where_everfit_is_not_installed(tmp_path):
    with tarfile.open(fileobj=io.BytesIO(packed(source_files()))) as archive:
        archive.extractall(tmp_path, filter="data")
    code = "import pipeline_components.identity as i; print(i.__file__, i.code_digest())"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": str(tmp_path), "PYTHONSAFEPATH": "1"},
    )  # fmt: skip
    where, digest = done.stdout.split()
    assert Path(where).is_relative_to(tmp_path) and digest == code_digest()


def test_equal_code_is_stored_once(context):
    first, second = small_run(context), small_run(context, "late")
    for request in (first, second):
        door.run(request, context)
    codes = {kept(context, request).code.digest for request in (first, second)}
    assert len(codes) == 1
    assert (
        context.ledger.version(first.run_key).dossier
        != context.ledger.version(second.run_key).dossier
    )


def test_the_lock_is_the_checkouts_or_what_is_installed(context, tmp_path):
    installed = lock(tmp_path).decode().splitlines()
    assert any(line.startswith("scikit-learn==") for line in installed)
    names = [line.partition("==")[0] for line in installed]
    assert names == sorted(names) and "everfit" not in names
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements" / "components.txt").write_text("scikit-learn==9 --hash=sha256:00\n")
    assert lock(tmp_path) == b"scikit-learn==9 --hash=sha256:00\n"


def test_what_a_model_was_made_with_is_read_back_from_the_dossier(context, tmp_path):
    request = small_run(context)
    (context.settings.root / "requirements").mkdir()
    text = "mlflow==3.0.0 \\\n    --hash=sha256:00\nPy-YAML_x==7 ; python_version > '3'\nnumpy==0\n"
    (context.settings.root / "requirements" / "components.txt").write_text(text)
    door.run(request, context)
    told, here = made_as_told(kept(context, request), context.store), made_here()
    assert (told.version("mlflow"), told.version("py_yaml.x")) == ("3.0.0", "7")
    assert told.version("numpy") == here.version("numpy")  # the environment was looked at itself
    assert told.version("absent") is None
    assert told.environment == here.environment
    name = "pipeline_components/model/raw_columns.py"
    assert told.source(name) == here.source(name) == (ROOT / name).read_bytes()
    assert told.source("pipeline_components/absent.py") is None


@pytest.mark.parametrize("verdict", ["hold", "reject"])
def test_a_run_that_is_not_accepted_keeps_one_too(context, verdict):
    """A person may overrule the gate, and then it is a version like any other."""
    request = small_run(context, verdict=verdict)
    door.run(request, context)
    assert find_dossier(request.run_key, context.store)[1].request == request
    assert context.ledger.version(request.run_key) is None


def test_it_is_stored_before_the_intent(context, monkeypatch):
    """So that whoever finishes a registration that was cut off finds it."""
    request = small_run(context)

    def die(*_):
        assert find_dossier(request.run_key, context.store) is not None
        raise Unavailable("LEDGER", "ledger", "must answer")

    monkeypatch.setattr(context.ledger, "intend_registration", die)
    with pytest.raises(Unavailable):
        door.run(request, context)
    assert context.ledger.unfinished_registrations("fares") == []


def test_another_code_than_planned_is_told(context, caplog):
    request = small_run(context).model_copy(update={"code": "0" * 64})
    door.run(request, context)
    assert "was planned by code 000000000000" in caplog.text


def test_the_verdict_on_record_is_named_and_not_a_later_one(context):
    from pipeline_components.contracts.steps import Order

    request = small_run(context)
    order = Order(component="register", pipeline=request.spec, upstream={"gate": ("0" * 64,)})
    found = door._upstream(order, request.run_key, context)
    assert found == {"gate": (digest_of(request.decision),)}
    assert context.store.exists(blob_key(found["gate"][0]))
