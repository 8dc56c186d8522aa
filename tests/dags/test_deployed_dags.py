"""The DAG bundle of what is deployed: versioned, whole, verified, from a folder or a bucket."""

from __future__ import annotations

import io
import tarfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from airflow.dag_processing.dagbag import DagBag

from everfit.contracts.errors import EverfitError
from everfit.operations.delivery.bundle import pack, read_files
from everfit_airflow.dags.deployed_dags import KEPT, DeployedDags
from tests.services import bucket, s3_endpoint, s3_environment  # noqa: F401 (fixtures)

REPOSITORY = Path(__file__).resolve().parents[2]
AT = datetime(2026, 3, 1, tzinfo=UTC)


class Place:
    """Where is deployed to, written as ``everfit deploy`` writes it."""

    def __init__(self, root: Path | None, url: str) -> None:
        self.url, self._root = url, root

    def create(self, key: str, data: bytes) -> None:
        if self._root:
            (self._root / key).parent.mkdir(parents=True, exist_ok=True)
            (self._root / key).write_bytes(data)
            return
        from airflow.providers.amazon.aws.hooks.s3 import S3Hook

        name, _, prefix = self.url.removeprefix("s3://").partition("/")
        S3Hook(aws_conn_id=None).get_conn().put_object(
            Bucket=name, Key=f"{prefix}/{key}", Body=data
        )

    def deploy(self, number: int, files: dict[str, bytes]) -> str:
        from everfit.contracts.base import canonical_json

        archive, manifest = pack(files)
        self.create(f"bundles/{manifest.version}.tar.gz", archive)
        document = {"number": number, "bundle": manifest.model_dump(mode="json")}
        self.create(f"deployments/{number:06d}.json", canonical_json(document))
        return manifest.version


@pytest.fixture(params=["folder", "bucket"])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch) -> Place:
    monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH", str(tmp_path / "airflow"))
    if request.param == "folder":
        return Place(tmp_path / "to", (tmp_path / "to").as_uri())
    return Place(None, f"s3://{request.getfixturevalue('bucket')}/deployed")


def bundle(place: Place, version: str | None = None) -> DeployedDags:
    made = DeployedDags(name="deployed", url=place.url, version=version)
    made.initialize()
    return made


def current(found: DeployedDags) -> str | None:
    version = found.get_current_version()
    return version.version if version else None


def test_the_newest_deployment_counts_and_a_run_stays_with_its_own(place) -> None:
    nothing = bundle(place)
    assert current(nothing) is None
    assert list(nothing.path.iterdir()) == []

    first = place.deploy(9, {"a.py": b"1", "pipelines/x.yaml": b"x"})
    nothing.refresh()
    assert current(nothing) == first
    assert (nothing.path / "pipelines" / "x.yaml").read_bytes() == b"x"

    second = place.deploy(10, {"a.py": b"2"})
    nothing.refresh()
    assert current(nothing) == second
    assert (nothing.path / "a.py").read_bytes() == b"2"
    assert not (nothing.path / "pipelines").exists()

    old = bundle(place, version=first)
    assert (old.path / "a.py").read_bytes() == b"1"
    old.refresh()
    assert current(old) == first

    place.deploy(11, {"a.py": b"1", "pipelines/x.yaml": b"x"})  # gone back
    nothing.refresh()
    assert current(nothing) == first
    for number in range(12, 16):
        place.deploy(number, {"a.py": str(number).encode()})
        nothing.refresh()
    assert len(list((nothing.base_dir / "deployed").iterdir())) <= KEPT + 1
    assert (nothing.path / "a.py").read_bytes() == b"15"
    assert (old.path / "a.py").read_bytes() == b"1"


def packed(entry: tarfile.TarInfo, data: bytes = b"") -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        entry.size = len(data)
        archive.addfile(entry, io.BytesIO(data))
    return file.getvalue()


@pytest.mark.parametrize("recorded", [True, False], ids=["deployed", "of a run"])
def test_an_altered_archive_is_not_unpacked(place, recorded) -> None:
    version = place.deploy(1, {"a.py": b"1"})
    place.create(f"bundles/{version}.tar.gz", packed(tarfile.TarInfo("dags/a.py"), b"evil"))
    with pytest.raises(EverfitError, match="DAGS-ALTERED"):
        bundle(place, version=None if recorded else version)
    made = DeployedDags(name="deployed", url=place.url, version=version)
    assert not made.path.exists()
    assert [p for p in made.base_dir.rglob("*") if p.is_file()] == []


def test_an_archive_cannot_write_elsewhere(place, tmp_path) -> None:
    version = place.deploy(1, {"a.py": b"1"})
    place.create(f"bundles/{version}.tar.gz", packed(tarfile.TarInfo("../../out.py"), b"evil"))
    with pytest.raises(tarfile.FilterError):
        bundle(place, version=version)
    assert list(tmp_path.rglob("out.py")) == []


@pytest.mark.parametrize("version", ["../x", "x", "a" * 63])
def test_a_version_is_a_digest(place, version) -> None:
    with pytest.raises(EverfitError, match="DAGS-VERSION"):
        bundle(place, version=version)


def test_airflow_loads_the_repositorys_own_dags_from_it(place, monkeypatch) -> None:
    monkeypatch.delenv("EVERFIT_PIPELINES", raising=False)
    place.deploy(1, read_files(REPOSITORY / "dags"))
    found = DagBag(str(bundle(place).path))
    assert found.import_errors == {}
    assert {"taxi_fare.train", "taxi_fare.monitor"} <= set(found.dags)
