"""``everfit bundle``: the DAG files as one archive with a version."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from pipeline_components.contracts.settings import Settings


def command(options: argparse.Namespace) -> int:
    """Write archive and manifest into a folder."""
    from pipeline_components.contracts.base import canonical_json
    from pipeline_components.delivery.bundle import ARCHIVE, MANIFEST, pack, read_files

    settings = Settings.from_environment()
    archive, manifest = pack(read_files(settings.pipelines.parent), options.commit)
    folder: Path = options.to
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ARCHIVE).write_bytes(archive)
    (folder / MANIFEST).write_bytes(canonical_json(manifest))
    sys.stdout.write(f"{manifest.version}\n")
    sys.stdout.write(f"  {len(manifest.files)} files, {manifest.size:,} bytes in {folder}\n")
    return 0
