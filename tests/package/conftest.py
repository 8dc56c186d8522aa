"""The built package, and empty environments with it and what it needs, made without a network.

What an environment holds besides comes from the locked environments of this checkout: of each
distribution that the wheel's own metadata asks for, the very files that the lock installed.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGES = {
    "everfit": REPOSITORY / "pipeline_components" / "everfit",
    "everfit_airflow": REPOSITORY / "plugins" / "everfit_airflow",
    "everfit_docker_guard": REPOSITORY / "plugins" / "everfit_docker_guard",
    "everfit_launch": REPOSITORY / "plugins" / "everfit_launch",
}
LOCKED = (REPOSITORY / ".venv", REPOSITORY / ".venv-airflow")
PROJECT = ("pyproject.toml", "README.md", "LICENSE", "pipeline_components", "plugins")
UV = REPOSITORY / ".venv" / "bin" / "uv"


def packages_of(environment: Path) -> Path:
    return environment / "lib" / f"python{sysconfig.get_python_version()}" / "site-packages"


@dataclass
class Built:
    """A wheel and an sdist."""

    wheel: Path
    sdist: Path


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Both, made by ``python -m build`` from a copy of the project."""
    source = tmp_path_factory.mktemp("project")
    for name in PROJECT:
        path = REPOSITORY / name
        if path.is_dir():
            shutil.copytree(path, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(path, source)
    out = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", out, source],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    (wheel,), (sdist,) = out.glob("*.whl"), out.glob("*.tar.gz")
    return Built(wheel, sdist)


@dataclass
class Environment:
    """An environment of its own, and a folder to work in."""

    folder: Path

    def program(self, name: str) -> str:
        return str(self.folder / "bin" / name)

    def run(
        self, *command: str, cwd: Path, input: str | None = None, **environ: str
    ) -> subprocess.CompletedProcess[str]:
        """Run one of its programs, with nothing of the tests' own environment."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("EVERFIT", "AIRFLOW", "PYTHON", "VIRTUAL_ENV", "MLFLOW"))
        }
        return subprocess.run(
            [self.program(command[0]), *command[1:]],
            cwd=cwd,
            env={**kept, "PATH": f"{self.folder / 'bin'}:/usr/bin:/bin", **environ},
            input=input,
            stdin=subprocess.DEVNULL if input is None else None,
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture(scope="session")
def environment(
    built: Built, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Environment]:
    """Gives a function that makes an environment with the wheel and the extras that are named."""
    made: dict[tuple[str, ...], Environment] = {}

    def make(*extras: str) -> Environment:
        if extras not in made:
            folder = tmp_path_factory.mktemp("-".join(("environment", *extras)))
            subprocess.run([UV, "venv", "-q", "--python", sys.executable, folder], check=True)
            subprocess.run(
                [
                    *(UV, "pip", "install", "-q", "--offline", "--no-deps"),
                    *("--python", folder / "bin" / "python", built.wheel),
                ],
                check=True,
            )
            (wheel,) = Distribution.discover(name="everfit", path=[str(packages_of(folder))])
            for one in needed(wheel, extras):
                put(one, folder)
            made[extras] = Environment(folder)
        return made[extras]

    return make


def locked(name: str) -> Distribution:
    """A distribution as one of the locked environments has it."""
    for environment in LOCKED:
        for found in Distribution.discover(name=name, path=[str(packages_of(environment))]):
            return found
    raise AssertionError(f"{name} is in no locked environment: the lock is older than the project")


def needed(of: Distribution, extras: Iterable[str]) -> Iterator[Distribution]:
    """Everything that a distribution needs with those extras, each once."""
    seen: set[tuple[str, str]] = set()
    todo = [(of, extra) for extra in ("", *extras)]
    given: set[str] = set()
    while todo:
        one, extra = todo.pop()
        for line in one.requires or ():
            wants = Requirement(line)
            if wants.marker is not None and not wants.marker.evaluate({"extra": extra}):
                continue
            name = re.sub(r"[-_.]+", "-", wants.name).lower()
            found = locked(name)
            assert wants.specifier.contains(found.version, prereleases=True), line
            if name not in given:
                given.add(name)
                yield found
            for more in ("", *wants.extras):
                if (name, more) not in seen:
                    seen.add((name, more))
                    todo.append((found, more))


def put(one: Distribution, folder: Path) -> None:
    """Link the files of a distribution into an environment, and write its programs."""
    into = packages_of(folder)
    for file in one.files or ():
        path = Path(str(one.locate_file(file)))
        if ".." in file.parts or "__pycache__" in file.parts or not path.is_file():
            continue
        target = into / file
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists():
            try:
                os.link(path, target)
            except OSError:  # another file system
                shutil.copy2(path, target)
    for entry in one.entry_points.select(group="console_scripts"):
        script = folder / "bin" / entry.name
        script.write_text(
            f"#!{folder / 'bin' / 'python'}\nimport sys\n"
            f"from {entry.module} import {entry.attr}\nsys.exit({entry.attr}())\n"
        )
        script.chmod(0o755)
