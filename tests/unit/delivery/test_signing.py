"""Images by digest and files, signed and verified by a real cosign, against a real registry."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import urllib.request
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]
OCI = "application/vnd.oci.image"


def put(url: str, data: bytes, kind: str) -> None:
    request = urllib.request.Request(url, data, {"Content-Type": kind}, method="PUT")
    with urllib.request.urlopen(request):
        pass


def push(registry: str, name: str, text: bytes) -> str:
    """An image with one config and no layer, whose digest is returned."""
    config = json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": {"Labels": {}},
            "rootfs": {"type": "layers", "diff_ids": []},
            "author": text.decode(),
        }
    ).encode()
    digest = f"sha256:{hashlib.sha256(config).hexdigest()}"
    base = f"http://{registry}/v2/{name}"
    with urllib.request.urlopen(
        urllib.request.Request(f"{base}/blobs/uploads/", b"", method="POST")
    ) as answer:
        where = answer.headers["Location"]
    put(f"{where}&digest={digest}", config, "application/octet-stream")
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": f"{OCI}.manifest.v1+json",
            "layers": [],
            "config": {"mediaType": f"{OCI}.config.v1+json", "size": len(config), "digest": digest},
        }
    ).encode()
    found = f"sha256:{hashlib.sha256(manifest).hexdigest()}"
    put(f"{base}/manifests/{found}", manifest, f"{OCI}.manifest.v1+json")
    return f"{registry}/{name}@{found}"


@pytest.fixture(scope="session")
def keys(cosign: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    """Two key pairs, as the variables a workflow has."""
    pairs = {}
    for who in ("team", "another"):
        folder = tmp_path_factory.mktemp(who)
        home = {"PATH": f"{cosign}:{os.environ['PATH']}", "HOME": str(folder)}
        home["COSIGN_PASSWORD"] = "correct-horse"
        subprocess.run(
            ["cosign", "generate-key-pair"], cwd=folder, env=home, check=True, capture_output=True
        )
        pairs[who] = home | {
            "COSIGN_PRIVATE_KEY": (folder / "cosign.key").read_text(),
            "COSIGN_PUBLIC_KEY": (folder / "cosign.pub").read_text(),
        }
    return pairs


def make(target: str, out: Path, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", target],
        cwd=REPOSITORY,
        env=env | {"OUT": str(out)},
        check=False,
        capture_output=True,
        text=True,
    )


def test_what_was_signed_is_verified_and_nothing_else(registry, keys, tmp_path) -> None:
    image = push(registry, "team/everfit-components", b"one")
    (tmp_path / "images.env").write_text(f"EVERFIT_COMPONENTS_IMAGE={image}\n")
    (tmp_path / "bundle").mkdir()
    (tmp_path / "sbom").mkdir()
    (tmp_path / "bundle" / "bundle.json").write_text("{}")
    (tmp_path / "sbom" / "components.cdx.json").write_text("{}")
    signed = make("sign", tmp_path, keys["team"])
    assert signed.returncode == 0, signed.stderr
    assert "correct-horse" not in signed.stdout + signed.stderr
    verified = make("verify", tmp_path, keys["team"])
    assert verified.returncode == 0, verified.stderr
    assert verified.stdout.split() == [
        "verify",
        image,
        "verify",
        f"{tmp_path}/images.env",
        "verify",
        f"{tmp_path}/bundle/bundle.json",
        "verify",
        f"{tmp_path}/sbom/components.cdx.json",
    ]

    assert make("verify", tmp_path, keys["another"]).returncode != 0

    (tmp_path / "bundle" / "bundle.json").write_text("{ }")
    changed = make("verify", tmp_path, keys["team"])
    assert changed.returncode != 0
    assert "bundle.json" not in changed.stdout

    other = push(registry, "team/everfit-components", b"two")
    (tmp_path / "images.env").write_text(f"EVERFIT_COMPONENTS_IMAGE={other}\n")
    refused = make("verify", tmp_path, keys["team"])
    assert refused.returncode != 0
    assert "no signatures found" in refused.stderr


def test_a_tag_is_not_signed(registry, keys, tmp_path) -> None:
    (tmp_path / "images.env").write_text(f"A_IMAGE={registry}/team/x:latest\n")
    refused = make("sign", tmp_path, keys["team"])
    assert "SIGN A_IMAGE: an image is signed by digest" in refused.stderr
    assert refused.returncode != 0
