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

from everfit.champion.version.dossier import find_dossier, lock, packed, source_files, store_dossier
from everfit.champion.version.made_with import made_as_told, made_here
from everfit.contracts.base import canonical_json, digest_of
from everfit.contracts.errors import Unavailable
from everfit.contracts.messages.dossier import Dossier
from everfit.contracts.messages.training import TrainResult
from everfit.engine.fingerprints import (
    code_digest,
    digest_of_code,
    environment,
    hashes_of,
    package_digest,
    source_digest,
)
from everfit.steps.register.step import Register, _upstream
from everfit.storage.store import blob_key
from tests.unit.register.small_run import small_run

ROOT = Path(__file__).resolve().parents[3]


def kept(context, request) -> Dossier:
    record = context.ledger.version(request.run_key)
    return Dossier.model_validate_json(context.store.get(record.dossier))


def test_a_version_names_all_it_was_made_of(context):
    request = small_run(context)
    request = request.model_copy(update={"upstream": {"plan": ("a" * 64,), "gate": ("b" * 64,)}})
    Register().run(request, context)
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
    assert find_dossier(request.run_key, context.ledger, context.store)[0] == first
    assert context.store.get(first) == canonical_json(
        find_dossier(request.run_key, context.ledger, context.store)[1]
    )


def test_the_code_is_the_code_of_the_run(context):
    request = small_run(context)
    Register().run(request, context)
    dossier = kept(context, request)
    data = context.store.get(dossier.code.digest)
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        entries = archive.getmembers()
        files = {entry.name: archive.extractfile(entry).read() for entry in entries}
    assert {(e.mtime, e.uid, e.gid, e.uname, e.mode) for e in entries} == {(0, 0, 0, "", 0o644)}
    assert [e.name for e in entries] == sorted(files)
    below = {name.removeprefix("everfit/"): content for name, content in files.items()}
    assert source_digest(below) == dossier.package == package_digest()
    assert digest_of_code("run", hashes_of(below)) == request.code == code_digest("run")
    assert "everfit/storage/ledger/migrations/script.py.mako" in files
    assert "everfit/reporting/templates/page.html.j2" in files  # and in no digest of code
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
    code = (
        "import everfit.engine.fingerprints as i\n"
        "print(i.__file__, i.code_digest('run'), i.package_digest())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(tmp_path), "PYTHONSAFEPATH": "1"},
    )
    where, *digests = done.stdout.split()
    assert Path(where).is_relative_to(tmp_path)
    assert digests == [code_digest("run"), package_digest()]


def test_equal_code_is_stored_once(context):
    first, second = small_run(context), small_run(context, "late")
    for request in (first, second):
        Register().run(request, context)
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
    Register().run(request, context)
    told, here = made_as_told(kept(context, request), context.store), made_here()
    assert (told.version("mlflow"), told.version("py_yaml.x")) == ("3.0.0", "7")
    assert told.version("numpy") == here.version("numpy")  # the environment was looked at itself
    assert told.version("absent") is None
    assert told.environment == here.environment
    name = "everfit/ml/model/raw_columns.py"
    assert (
        told.source(name) == here.source(name) == (ROOT / "pipeline_components" / name).read_bytes()
    )
    assert told.source("everfit/absent.py") is None


@pytest.mark.parametrize("verdict", ["hold", "reject"])
def test_a_run_that_is_not_accepted_keeps_one_too(context, verdict):
    """A person may overrule the gate, and then it is a version like any other."""
    request = small_run(context, verdict=verdict)
    Register().run(request, context)
    assert find_dossier(request.run_key, context.ledger, context.store)[1].request == request
    assert context.ledger.version(request.run_key) is None


def test_it_is_stored_before_the_intent(context, monkeypatch):
    """So that whoever finishes a registration that was cut off finds it."""
    request = small_run(context)

    def die(*_):
        assert find_dossier(request.run_key, context.ledger, context.store) is not None
        raise Unavailable("LEDGER", "ledger", "must answer")

    monkeypatch.setattr(context.ledger, "intend_registration", die)
    with pytest.raises(Unavailable):
        Register().run(request, context)
    assert context.ledger.unfinished_registrations("fares") == []


def test_another_code_than_planned_is_told(context, caplog):
    request = small_run(context).model_copy(update={"code": "0" * 64})
    Register().run(request, context)
    assert "was planned by code 000000000000" in caplog.text


def test_the_verdict_on_record_is_named_and_not_a_later_one(context):
    from everfit.contracts.messages.steps import Order

    request = small_run(context)
    order = Order(component="register", pipeline=request.spec, upstream={"gate": ("0" * 64,)})
    found = _upstream(order, request.run_key, context)
    assert found == {"gate": (digest_of(request.decision),)}
    assert context.store.exists(blob_key(found["gate"][0]))
