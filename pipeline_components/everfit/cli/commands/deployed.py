"""``everfit deployed``: what is deployed, and what a machine needs of it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from everfit.cli.arguments import from_one
from everfit.cli.command import Command, Group
from everfit.cli.terminal import Terminal

if TYPE_CHECKING:
    from everfit.operations.delivery.deployment import Deployment

SHOWN = 10
"""Of the newest deployments."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Where, which one, and what to write of it."""
    parser.add_argument("--at", required=True, metavar="URL", help="where it is deployed")
    parser.add_argument(
        "--number", type=from_one, metavar="N", help="which one to write (default: the newest)"
    )
    parser.add_argument(
        "--write", type=Path, metavar="FOLDER", help="write its images.env and runners.yaml there"
    )
    parser.add_argument(
        "--runners",
        type=Path,
        metavar="FILE",
        help="with --write: this machine's runners' settings, where the deployment has none",
    )
    parser.add_argument(
        "--guard",
        type=Path,
        metavar="FILE",
        help="with --write: the Docker guard's settings, written with the images allowed",
    )


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """List the deployments; with --write, put the images and the runners' settings of one here."""
    import yaml

    from everfit.operations.delivery import deployment
    from everfit.storage.store import open_store

    store = open_store(options.at)
    shown = []
    for number in deployment.numbers(store)[-SHOWN:]:
        one = deployment.read(store, number)
        assert one is not None  # it was just listed
        shown.append(one)
        terminal.line(_line(one))
    if not shown:
        terminal.line(f"Nothing was deployed to {options.at} yet.")
    terminal.document([one.model_dump(mode="json") for one in shown])
    found = deployment.read(store, options.number)
    if found is None or options.write is None:
        return 0
    folder: Path = options.write
    folder.mkdir(parents=True, exist_ok=True)
    folder = folder.resolve()
    settings, texts = dict(found.images), {}
    runners = found.runners
    if (
        options.runners
        and set(runners) <= {"default"}
        and set(runners.get("default", ())) <= {"image"}
    ):
        runners = deployment.with_image(options.runners.read_text(encoding="utf-8"), found.images)
    if runners and found.images:
        texts["runners.yaml"] = yaml.safe_dump(runners, sort_keys=True)
        settings["EVERFIT_RUNNERS_FILE"] = str(folder / "runners.yaml")
    if options.guard and found.images:
        texts["guard.yaml"] = deployment.guard_with_images(options.guard, found)
        settings["EVERFIT_GUARD_FILE"] = str(folder / "guard.yaml")
    # Last: it names the others.
    texts["images.env"] = "".join(f"{name}={value}\n" for name, value in settings.items())
    for name, text in texts.items():
        aside = folder / f".{name}.part"
        aside.write_text(text, encoding="utf-8")
        aside.replace(folder / name)
    terminal.line(f"  of {found.number}: {', '.join(texts)} in {folder}")
    return 0


def _line(one: Deployment) -> str:
    back = f"  back to {one.back_to}" if one.back_to else ""
    commit = f"  commit {one.bundle.commit[:12]}" if one.bundle.commit else ""
    return f"{one.number:>4}  {one.at}  bundle {one.bundle.version[:12]}{commit}  {one.by}{back}"


def _answer() -> object:
    from everfit.operations.delivery.deployment import Deployment

    return list[Deployment]


COMMAND = Command(
    group=Group.OPERATE,
    help="list the last deployments, newest last",
    description="Lists the last deployments, newest last. With --write: writes the images and the "
    "runners' settings of one of them.",
    add_arguments=add_arguments,
    run=run,
    answer=_answer,
    page="how-to/delivery.md",
)
