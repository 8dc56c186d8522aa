"""Bundles are the same bytes for the same files; deployments are whole, numbered and gone back."""

from __future__ import annotations

import io
import json
import os
import subprocess
import tarfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from everfit.cli import main
from everfit.contracts.errors import IntegrityError, Unavailable
from everfit.operations.delivery import deployment
from everfit.operations.delivery.bundle import pack, read_files
from everfit.storage.store import open_store

REPOSITORY = Path(__file__).resolve().parents[3]
AT = datetime(2026, 3, 1, tzinfo=UTC)
IMAGE = "registry.example.org/team/everfit-components@sha256:" + "a" * 64
OTHER = "registry.example.org/team/everfit-components@sha256:" + "b" * 64


def test_the_same_files_are_the_same_bytes_wherever_and_whenever_they_lie(tmp_path) -> None:
    packed = []
    for name, umask in (("one", 0o022), ("two", 0o077)):
        old = os.umask(umask)
        try:
            folder = tmp_path / name
            for path, data in sorted(read_files(REPOSITORY / "dags").items(), reverse=True):
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                (folder / path).write_bytes(data)
                os.utime(folder / path, (umask, umask))
        finally:
            os.umask(old)
        (folder / "__pycache__").mkdir()
        (folder / "__pycache__" / "x.pyc").write_bytes(b"x")
        (folder / ".hidden").write_text("x")
        packed.append(pack(read_files(folder)))
    assert packed[0] == packed[1]
    assert packed[0][0][4:8] == bytes(4)  # gzip's own time of day
    assert pack({"b": b"2", "a": b"1"}) == pack({"a": b"1", "b": b"2"})
    archive, manifest = packed[0]
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        entries = opened.getmembers()
    assert [entry.name for entry in entries] == [f"dags/{name}" for name in manifest.files]
    assert {(e.mode, e.mtime, e.uid, e.gid, e.uname) for e in entries} == {(0o644, 0, 0, 0, "")}
    assert "pipelines/taxi_fare.yaml" in manifest.files


def test_another_byte_or_name_is_another_version_and_a_commit_is_not() -> None:
    versions = [
        pack(files, commit)[1].version
        for files, commit in (
            ({"a.py": b"1"}, ""),
            ({"a.py": b"2"}, ""),
            ({"b.py": b"1"}, ""),
            ({"a.py": b"1"}, "c"),
        )
    ]
    assert versions[3] == versions[0]
    assert len(set(versions)) == 3


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    pipelines = tmp_path / "dags" / "pipelines"
    pipelines.mkdir(parents=True)
    text = (REPOSITORY / "dags" / "pipelines" / "taxi_fare.yaml").read_text()
    (pipelines / "taxi_fare.yaml").write_text(text)
    monkeypatch.setenv("EVERFIT_ROOT", str(tmp_path))
    return tmp_path


def test_a_wrong_spec_and_a_link_are_not_bundled(checkout, capsys) -> None:
    pipelines = checkout / "dags" / "pipelines"
    (pipelines / "tips.yaml").write_text("task: regresion\n")
    assert main(["bundle", "--to", str(checkout / "out")]) == 2
    assert "tips.yaml:1: task" in capsys.readouterr().err
    assert not (checkout / "out").exists()
    (pipelines / "tips.yaml").unlink()
    (pipelines / "tips.yaml").symlink_to(pipelines / "taxi_fare.yaml")
    assert main(["bundle", "--to", str(checkout / "out")]) == 2
    assert capsys.readouterr().err.startswith("BUNDLE-LINK")


def say(capsys, *words: str) -> str:
    assert main(list(words)) == 0
    return capsys.readouterr().out


def test_deploying_is_told_first_then_done_and_gone_back(checkout, capsys) -> None:
    to = (checkout / "deployed").as_uri()
    images, runners = checkout / "images.env", checkout / "runners.yaml"
    images.write_text(f"EVERFIT_COMPONENTS_IMAGE={IMAGE}\n")
    runners.write_text("default: {runner: docker, image: everfit-components:0.1.0}\n")
    words = [
        "deploy",
        "--to",
        to,
        "--bundle",
        str(checkout / "out"),
        "--images",
        str(images),
        "--runners",
        str(runners),
        "--by",
        "ann",
    ]
    say(capsys, "bundle", "--to", str(checkout / "out"))
    told = say(capsys, *words)
    assert "+ dags/pipelines/taxi_fare.yaml" in told
    assert told.endswith("Nothing was changed; --apply does it.\n")
    assert not (checkout / "deployed").exists()

    assert "deployment 1" in say(capsys, *words, "--apply")
    assert "Nothing to do: deployment 1 is the same." in say(capsys, *words, "--apply")

    spec = checkout / "dags" / "pipelines" / "taxi_fare.yaml"
    spec.write_text(spec.read_text().replace("owner: pricing", "owner: fares"))
    images.write_text(f"EVERFIT_COMPONENTS_IMAGE={OTHER}\n")
    say(capsys, "bundle", "--to", str(checkout / "out"), "--commit", "abc")
    told = say(capsys, *words, "--apply")
    assert "~ dags/pipelines/taxi_fare.yaml" in told
    assert f"~ EVERFIT_COMPONENTS_IMAGE {OTHER}" in told
    assert "deployment 2" in told

    assert "deployment 3" in say(capsys, "deploy", "--to", to, "--back", "1", "--apply")
    written = checkout / "here"
    told = say(capsys, "deployed", "--at", to, "--write", str(written))
    assert [line.split()[0] for line in told.splitlines()[:3]] == ["1", "2", "3"]
    assert "back to 1" in told.splitlines()[2]
    assert (written / "images.env").read_text() == (
        f"EVERFIT_COMPONENTS_IMAGE={IMAGE}\nEVERFIT_RUNNERS_FILE={written / 'runners.yaml'}\n"
    )
    assert yaml.safe_load((written / "runners.yaml").read_text()) == {
        "default": {"runner": "docker", "image": IMAGE}
    }
    assert main(["deploy", "--to", to, "--back", "9", "--apply"]) == 2
    assert "there are 1 to 3" in capsys.readouterr().err


def test_the_make_targets_do_the_same(checkout) -> None:
    out = checkout / "out"
    env = os.environ | {"OUT": str(out), "DEPLOY_TO": (checkout / "to").as_uri(), "RUNNERS": ""}

    def make(target: str, **more: str) -> str:
        return subprocess.run(
            ["make", "--silent", target],
            cwd=REPOSITORY,
            env=env | more,
            check=True,
            capture_output=True,
            text=True,
        ).stdout

    make("bundle")
    (out / "images.env").write_text(f"EVERFIT_COMPONENTS_IMAGE={IMAGE}\n")
    assert "Nothing was changed" in make("deploy")
    assert "deployment 1" in make("deploy", APPLY="true", DEPLOY_BY="ann")
    (out / "images.env").write_text(f"EVERFIT_COMPONENTS_IMAGE={OTHER}\n")
    assert "deployment 2" in make("deploy", APPLY="true")
    assert "deployment 3" in make("deploy", APPLY="true", BACK="1")
    told = make("deployed").splitlines()
    assert "  ann" in told[0]
    assert told[2].endswith("back to 1")
    folder = out / "deployed"
    assert (folder / "images.env").read_text() == (
        f"EVERFIT_COMPONENTS_IMAGE={IMAGE}\n"
        f"EVERFIT_RUNNERS_FILE={folder / 'runners.yaml'}\n"
        f"EVERFIT_GUARD_FILE={folder / 'guard.yaml'}\n"
    )
    # Deployed without runners' settings: this machine's stay, with the image by digest.
    ours = yaml.safe_load((REPOSITORY / "deploy/compose/runners.yaml").read_text())
    ours["default"]["image"] = IMAGE
    assert yaml.safe_load((folder / "runners.yaml").read_text()) == ours
    guard = yaml.safe_load((folder / "guard.yaml").read_text())
    before = yaml.safe_load((REPOSITORY / "deploy/compose/guard.yaml").read_text())
    assert guard == {**before, "images": [*before["images"], IMAGE]}


def test_a_deployment_without_images_leaves_the_machines_runners(checkout, capsys) -> None:
    to, out = (checkout / "deployed").as_uri(), checkout / "out"
    say(capsys, "bundle", "--to", str(out))
    say(capsys, "deploy", "--to", to, "--bundle", str(out), "--apply")
    written = checkout / "here"
    guard, runners = (str(REPOSITORY / f"deploy/compose/{n}.yaml") for n in ("guard", "runners"))
    say(
        capsys,
        "deployed",
        "--at",
        to,
        "--write",
        str(written),
        "--guard",
        guard,
        "--runners",
        runners,
    )
    assert [path.name for path in written.iterdir()] == ["images.env"]
    assert (written / "images.env").read_text() == ""


@pytest.mark.parametrize(
    "line", ["A=everfit:0.1.0", "A=x@sha256:12", f"a={IMAGE}", f"A={IMAGE} x", IMAGE]
)
def test_an_image_that_is_not_by_digest_is_refused(checkout, capsys, line) -> None:
    say(capsys, "bundle", "--to", str(checkout / "out"))
    (checkout / "images.env").write_text(line + "\n")
    words = ["deploy", "--to", (checkout / "deployed").as_uri(), "--bundle", str(checkout / "out")]
    assert main([*words, "--images", str(checkout / "images.env"), "--apply"]) == 2
    assert capsys.readouterr().err.startswith("DEPLOY-IMAGE")
    assert not (checkout / "deployed").exists()


def test_a_pipeline_that_names_a_tag_in_the_runners_settings_is_refused(checkout, capsys) -> None:
    say(capsys, "bundle", "--to", str(checkout / "out"))
    (checkout / "images.env").write_text(f"EVERFIT_COMPONENTS_IMAGE={IMAGE}\n")
    (checkout / "runners.yaml").write_text("pipelines: {fares: {image: 'fares:1'}}\n")
    words = [
        "deploy",
        "--to",
        (checkout / "deployed").as_uri(),
        "--bundle",
        str(checkout / "out"),
        "--images",
        str(checkout / "images.env"),
        "--runners",
        str(checkout / "runners.yaml"),
    ]
    assert main(words) == 2
    assert capsys.readouterr().err.startswith("DEPLOY-LOOSE fares:1")


@pytest.fixture(params=["folder", "bucket"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> object:
    if request.param == "folder":
        return open_store((tmp_path / "deployed").as_uri())
    return open_store(f"s3://{request.getfixturevalue('bucket')}/deployed")


def test_of_two_who_deploy_at_once_one_is_refused(store, monkeypatch) -> None:
    archive, manifest = pack({"a.py": b"1"})
    deployment.deploy(store, archive, manifest, {}, {}, AT, "ann")
    there = deployment.numbers(store)
    other, newer = pack({"a.py": b"2"})
    deployment.deploy(store, other, newer, {}, {}, AT, "ben")
    monkeypatch.setattr(deployment, "numbers", lambda _: there)  # what ann saw before ben was done
    with pytest.raises(Unavailable, match="DEPLOY-RACED"):
        deployment.deploy(store, archive, manifest, {}, {}, AT, "ann")
    monkeypatch.undo()
    found = deployment.read(store)
    assert found is not None
    assert (found.number, found.by, found.bundle.version) == (2, "ben", newer.version)


def test_a_deployment_that_is_cut_short_is_none(store, monkeypatch) -> None:
    archive, manifest = pack({"a.py": b"1"})

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(deployment, "_publish", killed)
    with pytest.raises(KeyboardInterrupt):
        deployment.deploy(store, archive, manifest, {}, {}, AT, "ann")
    monkeypatch.undo()
    assert list(store.keys("bundles/")) == [deployment.archive_key(manifest.version)]
    assert deployment.read(store) is None
    assert deployment.deploy(store, archive, manifest, {}, {}, AT, "ann").number == 1


def test_an_archive_that_is_not_its_manifests_is_refused(store) -> None:
    archive, manifest = pack({"a.py": b"1"})
    with pytest.raises(IntegrityError, match="DEPLOY-ARCHIVE"):
        deployment.deploy(store, archive + b"x", manifest, {}, {}, AT, "ann")
    assert list(store.keys("")) == []


def test_a_deployment_says_everything_in_plain_json(store) -> None:
    archive, manifest = pack({"a.py": b"1"}, "abc")
    deployment.deploy(store, archive, manifest, {"X_IMAGE": IMAGE}, {"default": {}}, AT, "ann")
    document = json.loads(store.read("deployments/000001.json"))
    assert document["images"] == {"X_IMAGE": IMAGE}
    assert document["bundle"]["commit"] == "abc"
    assert document["at"] == "2026-03-01T00:00:00+00:00"


def test_the_signature_of_a_bundle_is_deployed_with_it(checkout, capsys) -> None:
    to, out = (checkout / "deployed").as_uri(), checkout / "out"
    words = ["deploy", "--to", to, "--bundle", str(out), "--apply"]
    say(capsys, "bundle", "--to", str(out))
    assert "deployment 1" in say(capsys, *words)
    (out / "bundle.json.sig").write_text("c2lnbmVk\n")
    assert "+ signature of the bundle" in say(capsys, *words)
    assert "Nothing to do" in say(capsys, *words)
    first, second = (
        json.loads((checkout / "deployed" / "deployments" / f"00000{n}.json").read_text())
        for n in (1, 2)
    )
    assert (first["signed"], first["signature"]) == ("", "")
    assert second["signature"] == "c2lnbmVk"
    assert second["signed"] == (out / "bundle.json").read_text()
