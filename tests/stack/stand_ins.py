"""What no registry gives here, made of Debian's and PyPI's packages: Redis, S3, Compose v2.

Where the public ones can be had, name them: ``EVERFIT_REDIS_IMAGE``, ``EVERFIT_S3_IMAGE``.
"""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent
KEEP = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "everfit-stack-test"
SUITE = "trixie"
"""The Debian whose docker-compose is Compose v2."""

TOLD: list[str] = []
"""What stood in for what, said at the end of the tests."""


def run(*command: str | Path, timeout: float = 900, **options: object) -> str:
    """What a command prints; where it fails, everything it said."""
    done = subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, timeout=timeout,
        check=False, **options,  # type: ignore[call-overload]
    )  # fmt: skip
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout}\n{done.stderr}"
    return str(done.stdout)


def image(role: str) -> str:
    """The image for a role of the stack: the one named in the environment, else a stand-in."""
    named = os.environ.get(f"EVERFIT_{role.upper()}_IMAGE")
    if named:
        return named
    tag = f"everfit-stack-test-{role}:1"
    TOLD.append(f"{role}: {tag} of tests/stack/{role}/Dockerfile stands in for the public image")
    run("docker", "build", "--quiet", "--tag", tag, HERE / role)
    return tag


@functools.cache
def compose_v2() -> Path:
    """Compose v2: the plugin that is installed, else Debian's package of it, unpacked."""
    for folder in (Path.home() / ".docker", Path("/usr/libexec/docker"), Path("/usr/lib/docker")):
        if (plugin := folder / "cli-plugins" / "docker-compose").exists():
            return plugin
    TOLD.append(f"compose v2: unpacked from Debian {SUITE}'s package docker-compose")
    kept = KEEP / "compose-v2"
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        aside = kept.with_suffix(f".{os.getpid()}")
        shutil.copy(_debian_package("docker-compose", "usr/libexec/docker/cli-plugins"), aside)
        aside.rename(kept)
    return kept


def _debian_package(name: str, folder: str) -> Path:
    """A program of a package of ``SUITE``, from the archive that this machine's apt uses."""
    work = KEEP / "apt"
    shutil.rmtree(work, ignore_errors=True)
    for made in ("lists/partial", "cache/archives/partial", "parts"):
        (work / made).mkdir(parents=True)
    (work / "parts" / "suite.sources").write_text(
        f"Types: deb\nURIs: {_archive()}\nSuites: {SUITE}\nComponents: main\n"
        "Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n"
    )
    apt = (
        "apt-get", "-qq", "-o", "Dir::Etc::SourceList=/dev/null",
        "-o", f"Dir::Etc::SourceParts={work}/parts", "-o", f"Dir::State::Lists={work}/lists",
        "-o", f"Dir::Cache={work}/cache",
    )  # fmt: skip
    run(*apt, "update")
    run(*apt, "download", name, cwd=work)
    run("dpkg-deb", "-x", next(work.glob(f"{name}_*.deb")), work / "tree")
    return work / "tree" / folder / name


def _archive() -> str:
    """The address of Debian's archive in apt's settings."""
    places = [*Path("/etc/apt/sources.list.d").glob("*.sources"), Path("/etc/apt/sources.list")]
    text = "\n".join(place.read_text() for place in places if place.exists())
    found = re.search(r"^(?:URIs:|deb(?: \[[^]]*\])?) +(\S+/debian)\S*", text, re.MULTILINE)
    assert found, "apt knows no Debian archive"
    return found[1]
