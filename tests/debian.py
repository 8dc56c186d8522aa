"""Packages of Debian 13 to test with, unpacked and not installed: cosign, an image registry."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest


def packages(folder: Path) -> Callable[[str], Path]:
    """What unpacks a package from the mirror this machine's apt uses, and gives its root.

    Where that is Debian's, from Debian 13, whatever this machine is; else from its own release.
    Installs nothing; all that is fetched is in the folder, which is empty before.
    """
    (folder / "lists" / "partial").mkdir(parents=True)
    (folder / "cache").mkdir()
    options = [
        "-o",
        f"Dir::State::lists={folder / 'lists'}",
        "-o",
        f"Dir::Cache={folder / 'cache'}",
        "-o",
        "Acquire::Languages=none",
        "-o",
        "APT::Sandbox::User=root",
    ]
    written = [*Path("/etc/apt").glob("sources.list"), *Path("/etc/apt/sources.list.d").iterdir()]
    text = "\n".join(path.read_text() for path in written)
    mirrors = re.findall(r"https?://\S+/debian(?=/?\s)", text)
    if mirrors:
        (folder / "trixie.list").write_text(
            "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] "
            f"{mirrors[0]} trixie main\n"
        )
        options += ["-o", f"Dir::Etc::sourcelist={folder / 'trixie.list'}"]
        options += ["-o", "Dir::Etc::sourceparts=/dev/null"]
    subprocess.run(["apt-get", *options, "-qq", "update"], check=True)

    def unpack(package: str) -> Path:
        where = folder / package
        where.mkdir()
        subprocess.run(["apt-get", *options, "-qq", "download", package], check=True, cwd=where)
        (file,) = where.glob("*.deb")
        subprocess.run(["dpkg-deb", "-x", file, where / "root"], check=True)
        return where / "root"

    return unpack


@pytest.fixture(scope="session")
def debian(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Unpacks a package into a folder of these tests."""
    return packages(tmp_path_factory.mktemp("debian"))


@pytest.fixture(scope="session")
def cosign(debian: Callable[[str], Path]) -> Path:
    """The folder that holds ``cosign``."""
    found = shutil.which("cosign")
    return Path(found).parent if found else debian("cosign") / "usr" / "bin"


@pytest.fixture(scope="session")
def registry(
    debian: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Address of a real image registry on this machine."""
    folder = tmp_path_factory.mktemp("registry")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (folder / "config.yml").write_text(
        f"version: 0.1\nlog: {{level: error}}\n"
        f"storage: {{filesystem: {{rootdirectory: {folder}}}}}\n"
        f"http: {{addr: '127.0.0.1:{port}'}}\n"
    )
    program = debian("docker-registry") / "usr" / "bin" / "docker-registry"
    log = (folder / "log").open("wb")
    with subprocess.Popen(
        [program, "serve", folder / "config.yml"], stdout=log, stderr=log, env=dict(os.environ)
    ) as server:
        try:
            for _ in range(200):
                try:
                    with urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/"):
                        break
                except OSError:
                    assert server.poll() is None, (folder / "log").read_text()
                    time.sleep(0.05)
            else:
                pytest.fail("the registry does not answer")
            yield f"127.0.0.1:{port}"
        finally:
            server.terminate()
            log.close()
