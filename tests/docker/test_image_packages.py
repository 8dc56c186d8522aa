"""The bill of an image's Debian packages says what the image's own dpkg says."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
BASE = os.environ.get("EVERFIT_TEST_BASE", "debian:bookworm-slim")


def test_every_package_is_in_the_bill_and_it_is_the_same_every_time(tmp_path) -> None:
    for name in ("one", "two"):
        subprocess.run(
            ["python3", "scripts/image_packages.py", BASE, tmp_path / name],
            cwd=REPOSITORY,
            check=True,
        )
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    document = json.loads((tmp_path / "one").read_text())
    status = subprocess.run(
        [
            "docker",
            "run",
            "--rm",
            "--network=none",
            "--entrypoint=cat",
            BASE,
            "/var/lib/dpkg/status",
        ],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    there = set()
    for block in status.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line[:40])
        if fields:
            there.add((fields["Package"], fields["Version"]))
    assert len(there) > 50
    assert {(one["name"], one["version"]) for one in document["components"]} == there
    (libc,) = [one for one in document["components"] if one["name"] == "libc6"]
    assert libc["purl"].startswith(f"pkg:deb/debian/libc6@{libc['version'].replace('+', '%2B')}?")
    assert "upstream=glibc" in libc["purl"]
    image = subprocess.run(
        ["docker", "image", "inspect", "--format", "{{.Id}}", BASE],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    assert document["metadata"]["component"]["version"] == image
