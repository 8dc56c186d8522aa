"""Rules of the Dockerfiles that can be read off them."""

from __future__ import annotations

import json
import re
from fnmatch import fnmatch

import pytest

from tests.docker.images import DOCKERFILES, REPOSITORY


def instructions(image: str) -> list[tuple[str, str]]:
    """Name and arguments, in order, without comments."""
    text = re.sub(r"^\s*#.*\n", "", DOCKERFILES[image].read_text(), flags=re.M)
    lines = re.sub(r"\\\n\s*", " ", text).splitlines()
    return [tuple(line.split(None, 1)) for line in lines if line.strip()]


@pytest.fixture(params=DOCKERFILES)
def file(request):
    return instructions(request.param)


def of(file: list[tuple[str, str]], name: str) -> list[str]:
    return [arguments for found, arguments in file if found == name]


def test_the_base_is_an_argument_that_names_one_version(file):
    assert file[0][0] == "ARG"
    name, tag = file[0][1].split("=")
    assert re.fullmatch(r"python:3\.\d+-slim-[a-z]+", tag)
    stages = [f"${{{name}}}"]
    for arguments in of(file, "FROM"):
        found, *rest = arguments.split()
        assert found in stages
        stages += rest[1:]


def test_what_runs_is_nobody_and_no_shell(file):
    last = file[max(n for n, (name, _) in enumerate(file) if name == "FROM") :]
    assert of(last, "USER") == ["50000:0"]
    assert json.loads(of(last, "ENTRYPOINT")[0])[:3] == ["tini", "-g", "--"]
    assert all(folder.startswith("/") for folder in of(last, "WORKDIR"))
    assert of(last, "RUN") == []  # all that writes is in the stages before
    assert of(file, "VOLUME") == of(file, "ADD") == []


def test_nothing_secret_can_be_built_in(file):
    for name, arguments in file:
        if name in ("ARG", "ENV", "LABEL"):
            assert not re.search(r"(?i)password|secret|token|credential|_key\b", arguments)


def test_all_share_their_first_layers():
    begin = {}
    for image in DOCKERFILES:
        text = DOCKERFILES[image].read_text()
        (stage,) = re.findall(r"^FROM \S+ AS base\n(?:.+\n)+", text, re.M)
        begin[image] = stage
    assert len(set(begin.values())) == 1


@pytest.mark.parametrize("image", DOCKERFILES)
def test_what_is_copied_is_what_the_context_lets_through(image):
    ignore = (REPOSITORY / ".dockerignore").read_text().split("\n")
    ignore = [line for line in ignore if line and not line.startswith("#")]
    assert ignore[0] == "*"
    allowed = [line[1:] for line in ignore if line.startswith("!")]
    for arguments in of(instructions(image), "COPY"):
        if arguments.startswith("--from="):
            continue
        *sources, _ = arguments.split()
        for source in sources:
            assert (REPOSITORY / source).exists()
            assert any(fnmatch(f"{source}/", f"{one}/*") or source == one for one in allowed)


def test_the_context_holds_no_data_no_secret_and_no_environment():
    allowed = re.findall(r"^!(.+)$", (REPOSITORY / ".dockerignore").read_text(), re.M)
    assert allowed
    for folder in (".env", ".git", ".venv", ".everfit", "data", "deploy/compose", "tests"):
        assert not any(folder == one or folder.startswith(f"{one}/") for one in allowed)


def test_installers_check_hashes_and_leave_nothing():
    environment = (REPOSITORY / "deploy" / "images" / "environment.py").read_text()
    assert environment.count('"--require-hashes"') == environment.count('"-r"') == 2
    shell = (REPOSITORY / "deploy" / "images" / "base.sh").read_text()
    assert "--no-install-recommends" in shell
    assert "rm -rf /var/lib/apt/lists/*" in shell
    assert not re.search(r"curl|wget|upgrade|sudo", shell)
