"""The bill of materials names what is locked, and is the same every time."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]
LOCK = REPOSITORY / "requirements" / "mlflow-server.txt"


@pytest.mark.thorough
def test_every_locked_package_is_in_the_bill_with_its_hashes(tmp_path) -> None:
    env = os.environ | {
        "EVERFIT_TOOLS": str(tmp_path / "tools"),
        "LOCKS": "mlflow-server",
        "IMAGES": "none",
    }
    made = []
    for name in ("one", "two"):
        done = subprocess.run(
            ["make", "sbom"],
            check=False,
            cwd=REPOSITORY,
            env=env | {"OUT": str(tmp_path / name)},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        made.append((tmp_path / name / "sbom" / "mlflow-server.cdx.json").read_bytes())
    assert made[0] == made[1]
    document = json.loads(made[0])
    assert (document["bomFormat"], document["specVersion"]) == ("CycloneDX", "1.6")
    locked = re.findall(r"^([A-Za-z0-9._-]+)==([^ ;\\]+)", LOCK.read_text(), re.MULTILINE)
    assert len(locked) > 50
    billed = {(one["name"].lower(), one["version"]) for one in document["components"]}
    assert {(name.lower(), version) for name, version in locked} <= billed
    hashes = {
        found["content"]
        for one in document["components"]
        for place in one.get("externalReferences", ())
        for found in place.get("hashes", ())
    }
    assert hashes == set(re.findall(r"--hash=sha256:([0-9a-f]{64})", LOCK.read_text()))
