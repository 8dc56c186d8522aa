"""The wheel and the sdist: whole, taken by an index, of one version."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import zipfile
from email.parser import Parser
from pathlib import Path

from everfit.contracts.extras import extras
from everfit.contracts.version import VERSION
from tests.package.conftest import PACKAGES, REPOSITORY, Built


def written() -> set[str]:
    """Every file of the packages, as the checkout has it."""
    return {
        f"{name}/{path.relative_to(folder)}"
        for name, folder in PACKAGES.items()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_an_index_takes_both(built: Built) -> None:
    subprocess.run(
        [sys.executable, "-m", "twine", "check", "--strict", built.wheel, built.sdist],
        check=True,
        stdout=subprocess.DEVNULL,
    )


def test_the_wheel_holds_every_file_of_every_package_and_nothing_else(built: Built) -> None:
    with zipfile.ZipFile(built.wheel) as wheel:
        names = {name for name in wheel.namelist() if not name.startswith("everfit-")}
    assert names == written()


def test_the_sdist_holds_the_same(built: Built) -> None:
    with tarfile.open(built.sdist) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    for folder in ("pipeline_components", "plugins"):
        assert {f"{folder}/{one}" for one in written() if (REPOSITORY / folder / one).exists()} <= (
            names
        )


def test_every_package_of_the_checkout_is_in_it() -> None:
    there = {
        path.parent.name
        for folder in ("pipeline_components", "plugins")
        for path in (REPOSITORY / folder).glob("*/__init__.py")
    }
    assert there == set(PACKAGES)


def test_version_and_plugin_are_said_once(built: Built) -> None:
    with zipfile.ZipFile(built.wheel) as wheel:
        names = wheel.namelist()
        (metadata,) = (name for name in names if name.endswith(".dist-info/METADATA"))
        (entries,) = (name for name in names if name.endswith("entry_points.txt"))
        assert Parser().parsestr(wheel.read(metadata).decode())["Version"] == VERSION
        assert b"[airflow.plugins]\neverfit = everfit_airflow.plugin:EverfitPlugin" in wheel.read(
            entries
        )


def test_what_names_our_images_names_this_version() -> None:
    tagged = re.compile(r"everfit-(?:components|airflow|mlflow):(\d[\w.]*)")
    files = [
        path
        for pattern in ("*.yaml", ".env.example", "scripts/*", "deploy/**/*", "docs/**/*.md")
        for path in REPOSITORY.glob(pattern)
        if path.is_file()
    ]
    named = {(path.name, tag) for path in files for tag in tagged.findall(path.read_text())}
    assert len(named) > 5
    assert {(name, tag) for name, tag in named if tag != VERSION} == set()


def test_every_extra_brings_modules_that_are_found_by_their_names() -> None:
    """So that the line that names a missing part knows which part it is."""
    from everfit.contracts.extras import is_installed, missing_modules

    assert {"components", "airflow", "stack"} <= set(extras())
    assert is_installed("components"), missing_modules("components")
    airflow = REPOSITORY / ".venv-airflow" / "bin" / "python"
    code = "from everfit.contracts.extras import missing_modules; print(missing_modules('airflow'))"
    done = subprocess.run([airflow, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_checkout_says_the_version_of_its_package() -> None:
    text = Path(REPOSITORY / "pyproject.toml").read_text()
    assert 'dynamic = ["version"]' in text
    assert not re.search(r'^version = "', text, re.MULTILINE)
