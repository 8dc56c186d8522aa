"""Makes the environment of an image in /opt/everfit: locked, hash-checked, compiled.

Runs inside a build, with the base image's own Python and nothing else::

    python3 environment.py LOCK [LEFT-OUT]

``LOCK`` is a file of requirements with hashes; ``LEFT-OUT`` names, a glob a line, what is removed
of the installed packages because nothing opens it at run time.

All of it is one step of the build, so that what only the build needs (the installer, pip, package
lists) is in no layer at all. The same lock gives the same files: compiled by content in a fixed
order, no caches, no logs, and one time stamp on everything.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

TARGET = Path("/opt/everfit")
STAMP = int(os.environ.get("SOURCE_DATE_EPOCH", "315532800"))
OTHER_WORLDS = ("/proc", "/sys", "/dev", "/etc/hosts", "/etc/hostname", "/etc/resolv.conf")


def run(*command: str | Path, quiet: bool = False) -> None:
    """Run a program of the build; its failure is the build's."""
    told = subprocess.DEVNULL if quiet else None
    subprocess.run([str(part) for part in command], check=True, stdout=told)  # noqa: S603


def install(lock: Path) -> Path:
    """Install a lock into the target with a locked installer; returns its site-packages."""
    tools = Path(tempfile.mkdtemp())
    run(sys.executable, "-m", "venv", tools)
    pip = (tools / "bin" / "python", "-m", "pip", "install", "--quiet", "--no-cache-dir")
    run(*pip, "--require-hashes", "-r", lock.parent / "bootstrap.txt")
    run(sys.executable, "-m", "venv", "--without-pip", TARGET)
    run(
        tools / "bin" / "uv",
        "pip",
        "install",
        "--quiet",
        "--no-cache",
        "--link-mode",
        "copy",
        "--python",
        TARGET / "bin" / "python",
        "--require-hashes",
        "-r",
        lock,
    )
    shutil.rmtree(tools)
    remove(TARGET / ".lock")  # the installer's, and open to everybody
    return next(TARGET.glob("lib/python3*/site-packages"))


def leave_out(packages: Path, patterns: Path) -> None:
    """Remove what a list names; a line that matches nothing is out of date and fails the build."""
    for line in patterns.read_text().splitlines():
        pattern = line.partition("#")[0].strip()
        if not pattern:
            continue
        top, below = (TARGET, pattern[1:]) if pattern[0] == "/" else (packages, pattern)
        found = sorted(top.glob(below))
        if not found:
            sys.exit(f"LEFT-OUT {pattern}: must match something installed; it does not. Remove it.")
        for path in found:
            remove(path)


def share_libraries(packages: Path) -> None:
    """Wheels hold no links: a library's other names come as copies. Make them links again."""
    for folder in {path.parent for path in packages.rglob("lib*.so.*")}:
        first: dict[bytes, Path] = {}
        for path in sorted(folder.glob("lib*.so*"), key=lambda path: -len(path.name)):
            if path.is_file() and not path.is_symlink():
                same = first.setdefault(path.read_bytes(), path)
                if same is not path:
                    path.unlink()
                    path.symlink_to(same.name)


def compile_all(folder: Path) -> None:
    """Compile by content, not by time: nothing is compiled, or looked at, in a container."""
    command = [
        str(TARGET / "bin" / "python"),
        "-m",
        "compileall",
        "-q",
        "--invalidation-mode",
        "unchecked-hash",
        str(folder),
    ]
    # Not checked: templates of generators are no Python and compile in no installation.
    # In one process: what a compiled file holds depends a little on what was compiled before it.
    fixed = {**os.environ, "PYTHONHASHSEED": "0"}
    subprocess.run(command, check=False, stdout=subprocess.DEVNULL, env=fixed)  # noqa: S603


def remove_installers() -> None:
    """A running container installs nothing: the base's pip goes too."""
    if query := shutil.which("dpkg-query"):
        listed = subprocess.check_output(  # noqa: S603
            [query, "-W", "-f", "${Package}\n"], text=True
        ).split()
        names = ("python3-pip", "python3-setuptools", "python3-wheel", "python3-venv")
        ours = [
            name
            for name in listed
            if name.startswith(names) or (name.startswith("python3.") and name.endswith("-venv"))
        ]
        if ours:
            run("dpkg", "--purge", "--force-depends", *ours, quiet=True)
    for root in ("/usr/local", "/usr"):
        for name in ("pip", "setuptools", "wheel", "pkg_resources", "_distutils_hack"):
            for pattern in (
                f"lib/python3*/*-packages/{name}",
                f"lib/python3*/*-packages/{name}-*",
                f"bin/{name}",
                f"bin/{name}[0-9]*",
                "lib/python3*/ensurepip",
                "lib/python3*/*-packages/distutils-precedence.pth",
                "share/python-wheels",
            ):
                for path in sorted(Path(root).glob(pattern)):
                    remove(path)
    for left in ("/root/.cache", "/var/lib/apt/lists", "/var/log/dpkg.log", "/var/log/apt"):
        remove(Path(left))
    for old in Path("/var").glob("*/*-old"):
        remove(old)


def remove(path: Path) -> None:
    """Remove a file or a folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def all_under(folder: Path) -> Iterator[Path]:
    """Every file and folder of the image below a folder, the deepest first."""
    for entry in os.scandir(folder):
        path = Path(entry.path)
        if str(path) not in OTHER_WORLDS:
            if entry.is_dir(follow_symlinks=False):
                yield from all_under(path)
            yield path


def one_time(since: float) -> None:
    """Give all that this build wrote the same time."""
    for path in all_under(Path("/")):
        if path.lstat().st_mtime >= since or path.is_relative_to(TARGET):
            os.utime(path, (STAMP, STAMP), follow_symlinks=False)


def main() -> None:
    """Make the environment."""
    began = time.time() - 1
    lock = Path(sys.argv[1])
    packages = install(lock)
    if len(sys.argv) > 2:
        leave_out(packages, Path(sys.argv[2]))
    share_libraries(packages)
    compile_all(packages)
    run(TARGET / "bin" / "python", "-c", "import sys; sys.exit(sys.prefix != '/opt/everfit')")
    (TARGET / "app").mkdir()
    remove_installers()
    one_time(began)


if __name__ == "__main__":
    main()
