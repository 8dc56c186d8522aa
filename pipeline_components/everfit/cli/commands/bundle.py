"""``everfit bundle``: the DAG files as one archive with a version."""

from __future__ import annotations

import argparse
from pathlib import Path

from everfit.cli.command import Command, Group
from everfit.cli.terminal import Terminal
from everfit.contracts.wording import count


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Where to, and what is noted with it."""
    parser.add_argument("--to", type=Path, required=True, metavar="FOLDER", help="for the archive")
    parser.add_argument(
        "--commit", default="", metavar="ID", help="the commit of the files, noted with them"
    )


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Write archive and manifest into a folder."""
    from everfit.contracts.base import canonical_json
    from everfit.contracts.settings import Settings
    from everfit.operations.delivery.bundle import ARCHIVE, MANIFEST, pack, read_files

    settings = Settings.from_environment()
    archive, manifest = pack(read_files(settings.pipelines.parent), options.commit)
    folder: Path = options.to
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ARCHIVE).write_bytes(archive)
    (folder / MANIFEST).write_bytes(canonical_json(manifest))
    terminal.document(manifest)
    terminal.line(manifest.version)
    terminal.line(f"  {count(len(manifest.files), 'file')}, {manifest.size:,} bytes in {folder}")
    return 0


def _answer() -> object:
    from everfit.operations.delivery.bundle import Manifest

    return Manifest


COMMAND = Command(
    group=Group.OPERATE,
    help="pack the DAG files into one archive with a version",
    description="Packs the DAG files into one archive whose version is the digest of the files.",
    add_arguments=add_arguments,
    run=run,
    answer=_answer,
    page="how-to/delivery.md",
)
