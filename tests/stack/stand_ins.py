"""What no registry gives here, made of Debian's and PyPI's packages: Redis, S3, Compose v2.

Where the public ones can be had, name them: ``EVERFIT_REDIS_IMAGE``, ``EVERFIT_S3_IMAGE``.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.debian import packages

HERE = Path(__file__).resolve().parent
KEEP = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "everfit-stack-test"
TOLD: list[str] = []
"""What stood in for what, said at the end of the tests."""


def run(*command: str | Path, timeout: float = 900, **options: object) -> str:
    """What a command prints; where it fails, everything it said."""
    done = subprocess.run(
        [str(word) for word in command],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        **options,  # type: ignore[call-overload]
    )
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
    TOLD.append("compose v2: unpacked from Debian trixie's package docker-compose")
    kept = KEEP / "compose-v2"
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        aside = kept.with_suffix(f".{os.getpid()}")
        with tempfile.TemporaryDirectory() as folder:
            package = packages(Path(folder))("docker-compose")
            shutil.copy(package / "usr/libexec/docker/cli-plugins/docker-compose", aside)
        aside.rename(kept)
    return kept
