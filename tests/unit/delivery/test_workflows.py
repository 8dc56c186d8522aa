"""The workflow files a team copies: make targets that exist alone, and no right too many."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

REPOSITORY = Path(__file__).resolve().parents[3]
FILES = sorted((REPOSITORY / "deploy" / "workflows").glob("*.yml"))
ALLOWED = {
    "actions/checkout",
    "actions/upload-artifact",
    "actions/download-artifact",
    "sigstore/cosign-installer",
}


def load(path: Path) -> dict[Any, Any]:
    return yaml.safe_load(path.read_text())


def jobs() -> Iterator[tuple[str, dict[str, Any]]]:
    for path in FILES:
        for name, job in load(path)["jobs"].items():
            yield f"{path.stem}.{name}", job


JOBS = dict(jobs())


def test_both_files_are_there() -> None:
    assert [path.name for path in FILES] == ["change.yml", "merge.yml"]


@pytest.mark.parametrize("name", JOBS)
def test_a_run_line_is_one_make_target_that_exists(name: str) -> None:
    for step in JOBS[name]["steps"]:
        assert ("run" in step) != ("uses" in step)
        if "run" in step:
            found = re.fullmatch(r"make ([a-z-]+)", step["run"])
            assert found, step["run"]  # so nothing of an event can be put into a shell either
            done = subprocess.run(
                ["make", "--dry-run", found[1]],
                check=False,
                cwd=REPOSITORY,
                capture_output=True,
                text=True,
            )
            assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", JOBS)
def test_an_action_is_one_of_few_and_pinned_by_commit(name: str) -> None:
    for step in JOBS[name]["steps"]:
        if "uses" in step:
            action, _, commit = step["uses"].partition("@")
            assert action in ALLOWED
            assert re.fullmatch("[0-9a-f]{40}", commit)
            if action == "actions/checkout":
                assert step["with"]["persist-credentials"] is False


def test_one_action_has_one_commit_and_its_version_beside_it() -> None:
    lines = [
        line.split("uses: ")[1]
        for path in FILES
        for line in path.read_text().splitlines()
        if "uses: " in line
    ]
    assert {line.split("@")[0] for line in lines} == ALLOWED
    assert len(set(lines)) == len(ALLOWED)
    assert all(re.search(r" # v\d+\.\d+\.\d+$", line) for line in lines)


RIGHTS = {
    "change.test": {"contents": "read"},
    "change.specs": {"contents": "read"},
    "change.sample": {"contents": "read"},
    "change.comment": {"contents": "read", "pull-requests": "write"},
    "change.images": {"contents": "read"},
    "change.sign": {"contents": "read", "packages": "write"},
    "merge.build": {"contents": "read", "packages": "write"},
    "merge.deploy": {"contents": "read", "packages": "read"},
    "merge.back": {"contents": "read"},
}


def test_a_job_has_the_rights_it_needs_and_a_file_gives_none() -> None:
    assert {name: job["permissions"] for name, job in JOBS.items()} == RIGHTS
    assert [load(path)["permissions"] for path in FILES] == [{}, {}]


def test_a_fork_gets_no_secret() -> None:
    for path in FILES:
        assert "pull_request_target" not in path.read_text()
    same = "github.event.pull_request.head.repo.full_name == github.repository"
    for name, job in JOBS.items():
        if name.startswith("change.") and "secrets." in yaml.safe_dump(job):
            assert job["if"] == same, name
            assert job["environment"] == "change", name
        if name.startswith("merge."):
            assert job["environment"] == "production", name


def test_what_may_write_to_a_pull_request_runs_the_code_of_the_base() -> None:
    job = JOBS["change.comment"]
    (checkout,) = [s for s in job["steps"] if s.get("uses", "").startswith("actions/checkout@")]
    assert checkout["with"]["ref"] == "${{ github.event.pull_request.base.sha }}"
    assert [step["run"] for step in job["steps"] if "run" in step] == ["make comment"]
    assert "secrets." not in yaml.safe_dump(job)


def test_what_is_verified_is_deployed_and_told_first() -> None:
    runs = [step["run"] for step in JOBS["merge.deploy"]["steps"] if "run" in step]
    assert runs.index("make verify") < runs.index("make deploy")
    assert runs.count("make deploy") == 2
    applied = [
        s.get("env", {}) for s in JOBS["merge.deploy"]["steps"] if "deploy" in s.get("run", "")
    ]
    assert [env.get("APPLY") for env in applied] == [None, "true", None]
