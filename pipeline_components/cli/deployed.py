"""``everfit deployed``: what is deployed, and what a machine needs of it."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def command(options: argparse.Namespace) -> int:
    """List the deployments; with --write, put the images and the runners' settings of one here."""
    import yaml

    from pipeline_components.delivery import deployment
    from pipeline_components.store import open_store

    store = open_store(options.at)
    for number in deployment.numbers(store)[-10:]:
        one = deployment.read(store, number)
        assert one is not None  # it was just listed
        back = f"  back to {one.back_to}" if one.back_to else ""
        commit = f"  commit {one.bundle.commit[:12]}" if one.bundle.commit else ""
        sys.stdout.write(
            f"{number:>4}  {one.at}  bundle {one.bundle.version[:12]}{commit}  {one.by}{back}\n"
        )
    found = deployment.read(store, options.number)
    if found is None or options.write is None:
        return 0
    folder: Path = options.write
    folder.mkdir(parents=True, exist_ok=True)
    lines = "".join(f"{name}={image}\n" for name, image in found.images.items())
    texts = {"images.env": lines, "runners.yaml": yaml.safe_dump(found.runners, sort_keys=True)}
    for name, text in texts.items():
        aside = folder / f".{name}.part"
        aside.write_text(text, encoding="utf-8")
        aside.replace(folder / name)
    sys.stdout.write(f"  of {found.number}: {', '.join(texts)} in {folder}\n")
    return 0
