"""The DAG bundle of what is deployed: versioned, whole, verified, from a folder or a bucket."""

from __future__ import annotations

import base64
import io
import tarfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from airflow.dag_processing.dagbag import DagBag
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from everfit.contracts.base import canonical_json
from everfit.contracts.errors import EverfitError
from everfit.operations.delivery.bundle import pack, read_files
from everfit_airflow.dags.deployed_dags import KEPT, DeployedDags
from tests.services import bucket, s3_endpoint, s3_environment  # noqa: F401 (fixtures)

REPOSITORY = Path(__file__).resolve().parents[2]
AT = datetime(2026, 3, 1, tzinfo=UTC)


def sign(key, text: bytes) -> bytes:
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key.sign(text, ec.ECDSA(SHA256()))
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(text, padding.PKCS1v15(), SHA256())
    return key.sign(text)


def public(key) -> str:
    form = (Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return key.public_key().public_bytes(*form).decode()


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

    def deploy(self, number: int, files: dict[str, bytes], key=None, **more: object) -> str:
        archive, manifest = pack(files)
        self.create(f"bundles/{manifest.version}.tar.gz", archive)
        document = {"number": number, "bundle": manifest.model_dump(mode="json")}
        if key is not None:
            text = canonical_json(manifest)
            said = base64.b64encode(sign(key, text)).decode()
            document |= {"signed": text.decode(), "signature": said}
        document |= more
        self.create(f"deployments/{number:06d}.json", canonical_json(document))
        return manifest.version


@pytest.fixture(params=["folder", "bucket"])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch) -> Place:
    monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH", str(tmp_path / "airflow"))
    if request.param == "folder":
        return Place(tmp_path / "to", (tmp_path / "to").as_uri())
    return Place(None, f"s3://{request.getfixturevalue('bucket')}/deployed")


def bundle(place: Place, version: str | None = None, **more: str) -> DeployedDags:
    made = DeployedDags(name="deployed", url=place.url, version=version, **more)
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


FILES = {"a.py": b"1"}


def test_only_what_is_signed_is_used_where_there_is_a_key(place, tmp_path) -> None:
    key, other = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    (tmp_path / "cosign.pub").write_text(public(key))
    found = DeployedDags(name="deployed", url=place.url, public_key=str(tmp_path / "cosign.pub"))
    for number, wrong in enumerate(({}, {"key": other}, {"key": key, "signature": "AAAA"}), 1):
        place.deploy(number, FILES, **wrong)
        with pytest.raises(EverfitError, match="DAGS-UNSIGNED"):
            found.initialize()
        assert current(found) is None
    version = place.deploy(4, FILES, key=key)
    found.initialize()
    assert current(found) == version
    assert (found.path / "a.py").read_bytes() == b"1"
    # A run of that version, which names no deployment.
    assert (bundle(place, version, public_key=public(key)).path / "a.py").is_file()


def test_a_signature_is_of_its_own_files_alone(place) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    _, manifest = pack(FILES)
    text = canonical_json(manifest)
    said = base64.b64encode(sign(key, text)).decode()
    for more in ({}, {"bundle": manifest.model_dump(mode="json")}):
        version = place.deploy(1, {"a.py": b"evil"}, signed=text.decode(), signature=said, **more)
        place.create(f"bundles/{manifest.version}.tar.gz", pack({"a.py": b"evil"})[0])
        with pytest.raises(EverfitError, match=r"DAGS-(UNSIGNED|ALTERED)"):
            bundle(place, public_key=public(key))
        with pytest.raises(EverfitError, match="DAGS-UNSIGNED"):
            bundle(place, version, public_key=public(key))


@pytest.mark.parametrize("kind", [ed25519.Ed25519PrivateKey.generate, None])
def test_other_keys_of_cosign_are_known(place, kind) -> None:
    key = kind() if kind else rsa.generate_private_key(65537, 2048)
    version = place.deploy(1, FILES, key=key)
    assert current(bundle(place, public_key=public(key))) == version


def test_a_key_that_is_none_is_said(place, tmp_path) -> None:
    place.deploy(1, FILES)
    for wrong in ("/nowhere/cosign.pub", "-----BEGIN nothing"):
        with pytest.raises(EverfitError, match="DAGS-KEY"):
            bundle(place, public_key=wrong)
