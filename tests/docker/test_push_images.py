"""Images that are pushed are named by the digest the registry knows them by, and can be signed."""

from __future__ import annotations

import os
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.debian import cosign, debian, registry  # noqa: F401 (fixtures)

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def image(tmp_path: Path) -> Iterator[str]:
    """An image of one file, on the engine."""
    name = f"everfit-test-push-{os.getpid()}"
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /\n")
    subprocess.run(["docker", "build", "-q", "-t", f"{name}:7", tmp_path], check=True)
    yield name
    found = subprocess.run(
        [
            "docker",
            "image",
            "ls",
            "--format",
            "{{.Repository}}:{{.Tag}}",
            "--filter",
            f"reference=*{name}",
            "--filter",
            f"reference=*/*/{name}",
        ],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
    subprocess.run(["docker", "image", "rm", *found], check=True, capture_output=True)


def make(target: str, **env: str) -> str:
    done = subprocess.run(
        ["make", target],
        cwd=REPOSITORY,
        env=os.environ | env,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_what_is_pushed_is_signed_by_the_registrys_digest(
    image,
    registry,  # noqa: F811
    cosign,  # noqa: F811
    tmp_path,
) -> None:
    out = tmp_path / "out"
    env = {"OUT": str(out), "REGISTRY": f"{registry}/team", "IMAGES": image, "VERSION": "7"}
    make("push-images", **env)
    (line,) = (out / "images.env").read_text().splitlines()
    name, _, pinned = line.partition("=")
    assert name == image.upper().replace("-", "_") + "_IMAGE"
    request = urllib.request.Request(
        f"http://{registry}/v2/team/{image}/manifests/7",
        headers={"Accept": "application/vnd.docker.distribution.manifest.v2+json"},
    )
    with urllib.request.urlopen(request) as answer:
        digest = answer.headers["Docker-Content-Digest"]
    assert pinned == f"{registry}/team/{image}@{digest}"

    before = (out / "images.env").read_bytes()
    make("push-images", **env)
    assert (out / "images.env").read_bytes() == before

    home = {"PATH": f"{cosign}:{os.environ['PATH']}", "COSIGN_PASSWORD": ""}
    subprocess.run(
        ["cosign", "generate-key-pair"],
        cwd=tmp_path,
        env=os.environ | home,
        check=True,
        capture_output=True,
    )
    keys = {
        "COSIGN_KEY": str(tmp_path / "cosign.key"),
        "COSIGN_PUBLIC": str(tmp_path / "cosign.pub"),
    }
    make("sign", **env, **home, **keys)
    assert f"verify  {pinned}" in make("verify", **env, **home, **keys)
