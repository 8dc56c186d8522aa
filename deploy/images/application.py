"""Puts our own part of an image in order, from ``/opt/everfit/app`` to ``/out``, inside a build.

::

    python application.py [bake]

Compiles it by content, so that a read-only container compiles nothing; ``bake`` also makes, once,
what every container would make anew: matplotlib's list of fonts and the migrated MLflow database.
All of it depends on its inputs alone: the same sources give the same files, with one time stamp.
"""

from __future__ import annotations

import compileall
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from py_compile import PycInvalidationMode

APP = Path("/opt/everfit/app")
OUT = Path("/out")
FONTS = APP / "matplotlib"
STAMP = int(os.environ.get("SOURCE_DATE_EPOCH", "315532800"))


def run(*arguments: str, **environment: str) -> None:
    """Run Python; sets in the same order each time."""
    fixed = {**os.environ, "PYTHONHASHSEED": "0", **environment}
    subprocess.run([sys.executable, *arguments], check=True, env=fixed)  # noqa: S603


def fonts() -> None:
    """The list of the fonts that there are, in the order of their names."""
    FONTS.mkdir()
    run("-c", "import matplotlib.font_manager", MPLCONFIGDIR=str(FONTS))
    for lock in FONTS.glob("*.lock"):
        lock.unlink()
    for page in FONTS.glob("*.json"):
        found = json.loads(page.read_text())
        for kind in ("afmlist", "ttflist"):
            found[kind].sort(key=lambda font: json.dumps(font, sort_keys=True))
        page.write_text(json.dumps(found))


def template() -> None:
    """The migrated database that each new registry is a copy of."""
    (APP / "share").mkdir()
    run("-m", "everfit.storage.mlflow.template")
    (made,) = (APP / "share").glob("*.db")
    in_order(sqlite3.connect(made, isolation_level=None))


def in_order(database: sqlite3.Connection) -> None:
    """Take out of a database what differs each time: the date, the order of indexes and checks."""
    database.execute("PRAGMA journal_mode = DELETE")
    # In one transaction: the file counts those that changed it, and not every check has to move.
    database.execute("BEGIN")
    times = "UPDATE experiments SET creation_time = ?, last_update_time = ?"
    database.execute(times, (STAMP * 1000,) * 2)
    database.execute("PRAGMA writable_schema = ON")
    tables = database.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'").fetchall()
    for name, text in tables:
        database.execute(
            "UPDATE sqlite_master SET sql = ? WHERE type = 'table' AND name = ?",
            (checks_in_order(text), name),
        )
    database.execute("PRAGMA writable_schema = RESET")
    database.execute("COMMIT")
    indexes = database.execute(
        "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql NOTNULL ORDER BY name"
    ).fetchall()
    for name, _ in indexes:
        database.execute(f'DROP INDEX "{name}"')
    for _, text in indexes:
        database.execute(text)
    database.execute("VACUUM")
    if database.execute("PRAGMA integrity_check").fetchall() != [("ok",)]:
        sys.exit("the database of MLflow did not stay whole")
    database.execute("PRAGMA journal_mode = WAL")
    database.close()


def checks_in_order(text: str) -> str:
    """A table's definition with its checks in the order of their names."""
    lines = text.split("\n")
    places = [n for n, line in enumerate(lines) if re.match(r"\s+CONSTRAINT \w+ CHECK \(", line)]
    ends = [re.search(r",?\s*$", lines[n])[0] for n in places]
    checks = sorted(re.sub(r",?\s*$", "", lines[n]) for n in places)
    for place, check, end in zip(places, checks, ends, strict=True):
        lines[place] = check + end
    return "\n".join(lines)


def main() -> None:
    """Put it in order."""
    if not compileall.compile_dir(
        APP, quiet=1, invalidation_mode=PycInvalidationMode.UNCHECKED_HASH, workers=1
    ):
        sys.exit(1)
    if sys.argv[1:] == ["bake"]:
        fonts()
        template()
    # To where it is copied from onto "/": a folder that is itself the target of a copy would get
    # the time of the copy.
    shutil.copytree(APP, OUT / APP.relative_to("/"), symlinks=True)
    for path in OUT.rglob("*"):
        if not path.is_symlink():
            program = path.is_dir() or path.parent.name == "bin"
            path.chmod(0o755 if program else 0o644)
    for path in sorted(OUT.rglob("*"), reverse=True):
        os.utime(path, (STAMP, STAMP), follow_symlinks=False)


if __name__ == "__main__":
    main()
