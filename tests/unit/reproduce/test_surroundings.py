"""Which code, environment and variables a version is rebuilt with, and what if it cannot be."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from everfit.contracts.base import canonical_json
from everfit.contracts.errors import IntegrityError, UserError
from everfit.contracts.messages.artifacts import Artifact
from everfit.contracts.messages.planning import ChampionRef
from everfit.contracts.settings import Settings
from everfit.engine.fingerprints import environment
from everfit.engine.progress import LogProgress
from everfit.operations.reproduce.locked_environment import READY, locked_environment
from everfit.operations.reproduce.recorded import Recorded, read_recorded
from everfit.operations.reproduce.reproduce import (
    Surroundings,
    child_variables,
    environment_differences,
)
from everfit.storage.ledger.records import VersionRecord
from everfit.storage.store import digest_file, open_store

MODEL = Artifact(name="linear.skops", digest="a" * 64, size=1)
TAR = Artifact(name="code.tar", digest="b" * 64, size=1)
HERE = Surroundings(Path(sys.executable), None, False, "")


def recorded(**environment_of_then: str) -> Recorded:
    return Recorded(
        called="fare v3",
        dossier="d" * 64,
        run_key="e" * 64,
        code="f" * 64,
        archive=TAR,
        package="a" * 64,
        lock=TAR,
        environment={**environment(), **environment_of_then},
    )


def test_what_differs_is_named_python_first():
    then = {"python": "3.11.7", "machine": "x86_64", "numpy": "2.4.6", "MKL_CBWR": "AVX2"}
    now = {"python": "3.12.1", "machine": "x86_64", "numpy": "2.4.7", "OPENBLAS_CORETYPE": "Zen"}
    assert environment_differences(then, now) == [
        "python 3.11.7 → 3.12.1",
        "MKL_CBWR AVX2 → unset",
        "OPENBLAS_CORETYPE unset → Zen",
        "numpy 2.4.6 → 2.4.7",
    ]
    assert environment_differences(then, now, variables=False) == [
        "python 3.11.7 → 3.12.1",
        "numpy 2.4.6 → 2.4.7",
    ]
    assert environment_differences(then, then) == []


def test_the_recorded_kernels_are_set_and_others_are_not(settings: Settings):
    environ = {"OPENBLAS_CORETYPE": "Zen", "MKL_CBWR": "SSE2", "PATH": "/bin", "PYTHONPATH": "/own"}
    then = {"OPENBLAS_CORETYPE": "Haswell", "python": "3.11.7"}
    found = child_variables(environ, then, settings, HERE, here=False)
    assert found["OPENBLAS_CORETYPE"] == "Haswell"
    assert "MKL_CBWR" not in found and "python" not in found
    assert (found["PATH"], found["PYTHONPATH"]) == ("/bin", "/own")
    assert found["EVERFIT_STORE"] == settings.store
    found = child_variables(environ, then, settings, HERE, here=True)
    assert (found["OPENBLAS_CORETYPE"], found["MKL_CBWR"]) == ("Zen", "SSE2")


def test_the_recorded_code_comes_first_and_an_own_environment_alone(settings: Settings):
    environ = {"PYTHONPATH": "/own", "PYTHONHOME": "/wrong", "VIRTUAL_ENV": "/wrong"}
    code = Surroundings(Path("/python"), Path("/code"), False, "")
    found = child_variables(environ, {}, settings, code, here=False)
    assert found["PYTHONPATH"] == os.pathsep.join(["/code", "/own"])
    own = Surroundings(Path("/venv/python"), Path("/code"), True, "")
    found = child_variables(environ, {}, settings, own, here=False)
    assert found["PYTHONPATH"] == "/code"
    assert not found.keys() & {"PYTHONHOME", "VIRTUAL_ENV"}


def test_another_kind_of_machine_is_said_plainly(tmp_path):
    with pytest.raises(UserError) as caught:
        locked_environment(
            recorded(machine="s390x"), b"", tmp_path, "machine s390x → x86_64", LogProgress()
        )
    assert caught.value.line.startswith("REPRODUCE-ENVIRONMENT fare v3: ")
    assert "it is of another type of machine: s390x" in caught.value.line
    assert "--here" in caught.value.line


def test_a_lock_that_cannot_be_installed_leaves_nothing_half_done(tmp_path, monkeypatch):
    """The real uv, kept from the network, on a package that nobody has."""
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    lock = b"nothing-has-this-name==9.9 --hash=sha256:" + b"0" * 64 + b"\n"
    folder = tmp_path / "environments"
    with pytest.raises(UserError, match="REPRODUCE-ENVIRONMENT fare v3") as caught:
        locked_environment(recorded(), lock, folder, "numpy 1 → 2", LogProgress())
    assert "numpy 1 → 2; uv says: " in caught.value.line
    assert "nothing-has-this-name" in caught.value.line
    assert list(folder.iterdir()) == []


def test_a_lock_whose_hashes_differ_is_not_installed(tmp_path, monkeypatch):
    """What an index serves is not what was locked: the file is refused, not run."""
    wheel = tmp_path / "tiny-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("tiny.py", "x = 1\n")
        archive.writestr("tiny-1.0.dist-info/METADATA", "Name: tiny\nVersion: 1.0\n")
        wheel_says = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        archive.writestr("tiny-1.0.dist-info/WHEEL", wheel_says)
        archive.writestr("tiny-1.0.dist-info/RECORD", "")
    monkeypatch.setenv("UV_NO_INDEX", "1")
    monkeypatch.setenv("UV_FIND_LINKS", str(tmp_path))
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))

    def lock(digest: str) -> bytes:
        return f"tiny==1.0 --hash=sha256:{digest}\n".encode()

    folder = tmp_path / "environments"
    with pytest.raises(UserError, match=r"uv says: .*[Hh]ash"):
        locked_environment(recorded(), lock("0" * 64), folder, "", LogProgress())
    python = locked_environment(recorded(), lock(digest_file(wheel)), folder, "", LogProgress())
    assert (python.parent.parent / READY).exists()
    said = subprocess.run(
        [python, "-c", "import tiny, sys; print(tiny.x, sys.version_info[:3])"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout.strip() == f"1 {sys.version_info[:3]}"
    monkeypatch.setenv("UV_OFFLINE", "1")  # found again, without uv
    again = locked_environment(recorded(), lock(digest_file(wheel)), folder, "", LogProgress())
    assert again == python


def version(dossier: str | None) -> VersionRecord:
    return VersionRecord(
        run_key="e" * 64,
        version=3,
        mlflow_run="r",
        dossier=dossier,
        champion=ChampionRef(
            version=3, run_key="e" * 64, model=MODEL, train=MODEL, window=(), sequence=1
        ),
    )


def document(run_key: str = "e" * 64, model: str = "a" * 64) -> dict[str, object]:
    return {
        "request": {
            "run_key": run_key,
            "code": "f" * 64,
            "evaluated": {"candidate": {"model": {"digest": model}}},
            "a_field_of_a_later_year": 1,
        },
        "code": TAR.model_dump(),
        "package": "a" * 64,
        "lock": TAR.model_dump(),
        "environment": {"python": "3.14.1"},
    }


def test_a_dossier_of_another_year_is_read_as_far_as_it_must_be():
    store = open_store("memory://recorded")
    kept = store.put("dossier.json", canonical_json(document()))
    found = read_recorded("fare", version(kept.digest), store)
    assert (found.code, found.archive, found.lock) == ("f" * 64, TAR, TAR)
    assert found.package == "a" * 64
    assert found.environment == {"python": "3.14.1"}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (canonical_json(document(run_key="0" * 64)), "it is of run 000000000000"),
        (canonical_json(document(model="0" * 64)), "its model is 000000000000"),
        (b"[]", "it names no run"),
        (b"not JSON", "it names no run"),
        (b'{"request": {"evaluated": 3}}', "it names no run"),
        (json.dumps({**document(), "lock": "text"}).encode(), "it names no run"),
    ],
)
def test_a_dossier_that_is_not_the_versions_is_refused(text, found):
    store = open_store("memory://recorded")
    kept = store.put("dossier.json", text)
    with pytest.raises(IntegrityError, match="REPRODUCE-RECORD fare v3") as caught:
        read_recorded("fare", version(kept.digest), store)
    assert found in caught.value.line


def test_a_version_without_a_dossier_says_why():
    with pytest.raises(UserError, match=r"REPRODUCE-DOSSIER fare v3: .*wrote none"):
        read_recorded("fare", version(None), open_store("memory://recorded"))


@pytest.mark.parametrize(
    ("images", "refused"),
    [({"train": "x@sha256:1"}, True), ({"default": "x:1"}, True), ({"gate": "x:1"}, False)],
)
def test_what_was_made_in_an_image_of_its_own_is_not_rebuilt_in_a_process(images, refused):
    recorded_so = document()
    request = recorded_so["request"]
    assert isinstance(request, dict)
    request["spec"] = {"images": images}
    store = open_store(f"memory://images-{refused}-{next(iter(images))}")
    kept = store.put("dossier.json", canonical_json(recorded_so))
    if refused:
        with pytest.raises(UserError, match=r"REPRODUCE-IMAGES fare v3: .*train in x"):
            read_recorded("fare", version(kept.digest), store)
    else:
        assert read_recorded("fare", version(kept.digest), store).code == "f" * 64
