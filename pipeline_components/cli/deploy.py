"""``everfit deploy``: DAGs and images by digest, together, in one step that can be gone back."""

from __future__ import annotations

import argparse
import getpass
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline_components.clock import now
from pipeline_components.contracts.errors import UserError

if TYPE_CHECKING:
    from pipeline_components.delivery.bundle import Manifest


def command(options: argparse.Namespace) -> int:
    """Say what would change; change it only when told to."""
    from pipeline_components.delivery import deployment
    from pipeline_components.store import open_store

    store = open_store(options.to)
    runners: dict[str, Any] = {}
    archive = b""
    if options.back is not None:
        earlier = deployment.read(store, options.back)
        assert earlier is not None  # a number was given
        manifest, images = earlier.bundle, earlier.images
    else:
        manifest, archive = _bundle(options.bundle)
        images = deployment.read_images(_text(options.images).splitlines())
        runners = deployment.with_image(_text(options.runners), images)
    current = deployment.read(store)
    lines = deployment.differences(current, manifest, images)
    if current and options.back is None and current.runners != runners:
        lines.append("~ settings of the runners")
    write = sys.stdout.write
    write("".join(f"  {line}\n" for line in lines))
    if not lines:
        write(f"Nothing to do: it is what deployment {current.number if current else 0} says.\n")
        return 0
    if not options.apply:
        write("Nothing was changed; --apply does it.\n")
        return 0
    by = options.by or getpass.getuser()
    done = (
        deployment.go_back(store, options.back, now(), by)
        if options.back is not None
        else deployment.deploy(store, archive, manifest, images, runners, now(), by)
    )
    write(f"deployment {done.number}  bundle {done.bundle.version[:12]}\n")
    return 0


def _text(path: Path | None) -> str:
    return path.read_text(encoding="utf-8") if path else ""


def _bundle(folder: Path | None) -> tuple[Manifest, bytes]:
    from pipeline_components.delivery.bundle import ARCHIVE, MANIFEST, Manifest

    if folder is None or not (folder / MANIFEST).is_file():
        raise UserError(
            "DEPLOY-BUNDLE", str(folder or "--bundle"), "it must be a folder that holds a bundle",
            todo="Make one with everfit bundle",
        )  # fmt: skip
    manifest = Manifest.model_validate_json((folder / MANIFEST).read_bytes())
    return manifest, (folder / ARCHIVE).read_bytes()
