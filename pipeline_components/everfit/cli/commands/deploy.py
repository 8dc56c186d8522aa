"""``everfit deploy``: DAGs and images by digest, as one deployment that can be undone."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from everfit.cli.arguments import from_one
from everfit.cli.command import Command, Group
from everfit.cli.terminal import Terminal
from everfit.contracts.errors import UserError

if TYPE_CHECKING:
    from everfit.operations.delivery.bundle import Manifest


class DeployedNow(TypedDict):
    """What is or would be different."""

    changes: list[str]
    """A line each; none: it is deployed already."""
    deployment: int | None
    """The number of the deployment that was made; null where none was."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What, where to, and whether to do it."""
    parser.add_argument("--to", required=True, metavar="URL", help="file:// or s3://bucket/prefix")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--bundle", type=Path, metavar="FOLDER", help="made by everfit bundle")
    what.add_argument(
        "--back", type=from_one, metavar="N", help="deploy again what deployment N deployed"
    )
    parser.add_argument("--images", type=Path, metavar="FILE", help="lines of NAME=image@sha256:…")
    parser.add_argument("--runners", type=Path, metavar="FILE", help="settings of the runners")
    parser.add_argument("--by", metavar="PERSON", help="who deploys (default: you)")
    parser.add_argument(
        "--apply", action="store_true", help="do it (default: only list the changes)"
    )


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Say what would change; change it only where asked to."""
    from everfit.contracts.clock import now
    from everfit.operations.delivery import deployment
    from everfit.storage.store import open_store

    store = open_store(options.to)
    runners: dict[str, Any] = {}
    archive, signed = b"", ("", "")
    if options.back is not None:
        earlier = deployment.read(store, options.back)
        assert earlier is not None  # a number was given
        manifest, images = earlier.bundle, earlier.images
    else:
        manifest, archive, signed = _bundle(options.bundle)
        images = deployment.read_images(_text(options.images).splitlines())
        runners = deployment.with_image(_text(options.runners), images)
    current = deployment.read(store)
    lines = deployment.differences(current, manifest, images)
    if current and options.back is None and current.runners != runners:
        lines.append("~ settings of the runners")
    if current and signed[1] and not current.signature:
        lines.append("+ signature of the bundle")
    answer: DeployedNow = {"changes": lines, "deployment": None}
    for line in lines:
        terminal.line(f"  {line}")
    if not lines:
        number = current.number if current else 0
        terminal.line(f"Nothing to do: deployment {number} is the same.")
    elif not options.apply:
        terminal.line("Nothing was changed; --apply does it.")
    else:
        import getpass

        by = options.by or getpass.getuser()
        done = (
            deployment.go_back(store, options.back, now(), by)
            if options.back is not None
            else deployment.deploy(store, archive, manifest, images, runners, now(), by, signed)
        )
        answer["deployment"] = done.number
        terminal.line(f"deployment {done.number}  bundle {done.bundle.version[:12]}")
    terminal.document(answer)
    return 0


def _text(path: Path | None) -> str:
    return path.read_text(encoding="utf-8") if path else ""


def _bundle(folder: Path | None) -> tuple[Manifest, bytes, tuple[str, str]]:
    from everfit.operations.delivery.bundle import ARCHIVE, MANIFEST, Manifest

    if folder is None or not (folder / MANIFEST).is_file():
        raise UserError(
            "DEPLOY-BUNDLE",
            str(folder or "--bundle"),
            "it must be a folder that holds a bundle",
            todo="Make one with everfit bundle",
        )
    text = (folder / MANIFEST).read_text(encoding="utf-8")
    by = folder / f"{MANIFEST}.sig"  # as make sign writes it
    signature = by.read_text(encoding="utf-8").strip() if by.is_file() else ""
    manifest = Manifest.model_validate_json(text)
    return manifest, (folder / ARCHIVE).read_bytes(), (text if signature else "", signature)


COMMAND = Command(
    group=Group.OPERATE,
    help="deploy a bundle with images by digest; lists the changes unless --apply",
    description="Lists what deploying a bundle and images by digest would change, and with "
    "--apply deploys them as one numbered deployment. --back deploys once more what an earlier "
    "deployment deployed.",
    add_arguments=add_arguments,
    run=run,
    answer=lambda: DeployedNow,
    page="how-to/delivery.md",
)
