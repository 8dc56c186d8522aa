"""``everfit sample``: pipelines on a sample of their sources, where nothing can be promoted."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from everfit.cli.arguments import from_one
from everfit.cli.command import Command, Group
from everfit.cli.terminal import VERDICT_MARKS, Terminal
from everfit.contracts.errors import SpecError, UserError

if TYPE_CHECKING:
    from everfit.contracts.settings import Settings
    from everfit.operations.delivery.sample import Sampled


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which pipelines, how much of them, and where the results go."""
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="pipelines (default: those that changed)"
    )
    parser.add_argument(
        "--base", metavar="REF", help="the branch or commit that a change is compared with"
    )
    parser.add_argument(
        "--to", type=Path, required=True, metavar="FOLDER", help="for the reports and the comment"
    )
    parser.add_argument(
        "--spans", type=from_one, default=4, metavar="N", help="use the newest N spans (4)"
    )
    parser.add_argument(
        "--rows", type=from_one, default=2000, metavar="N", help="about N rows of each (2000)"
    )
    parser.add_argument(
        "--link", default="", metavar="URL", help="where the comment says the reports are"
    )


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Run the pipelines named, or those that changed; write reports and the comment."""
    from everfit.contracts.settings import Settings
    from everfit.contracts.spec.load import find_spec
    from everfit.operations.delivery.changed import changed_pipelines

    settings = Settings.from_environment()
    if not options.names and not options.base:
        raise UserError(
            "SAMPLE-WHICH",
            "everfit sample",
            "names or a base say which pipelines",
            "neither is given",
            "Give names, or --base origin/main",
        )
    if options.names:
        wanted = dict.fromkeys(options.names, "")
        for name in wanted:
            find_spec(settings.pipelines, name)
    else:
        wanted = changed_pipelines(settings.root, settings.pipelines, options.base)
    return _sample(wanted, settings, options, terminal)


def _sample(
    wanted: dict[str, str], settings: Settings, options: argparse.Namespace, terminal: Terminal
) -> int:
    from everfit.contracts.spec.load import find_spec, load_spec
    from everfit.engine.context import pin_threads

    specs = {}
    broken = {}
    for name in wanted:
        try:
            specs[name] = load_spec(find_spec(settings.pipelines, name))
        except SpecError as error:
            broken[name] = error
    pin_threads(max((spec.train.threads for spec in specs.values()), default=1))
    from everfit.contracts.base import canonical_json
    from everfit.operations.delivery.changed import spec_at
    from everfit.operations.delivery.comment import comment
    from everfit.operations.delivery.sample import Sampled, Size, sample

    size = Size(options.spans, options.rows)
    folder: Path = options.to
    folder.mkdir(parents=True, exist_ok=True)
    samples = []
    for name, why in wanted.items():
        if name in broken:
            lines = tuple(f"SPEC {line}" for line in broken[name].located)
            found = Sampled(pipeline=name, why=why, problems=lines, exit_code=2)
        else:
            terminal.begin(name)
            before = None
            if options.base:
                before = spec_at(settings.root, settings.pipelines, name, options.base)
            found = sample(specs[name], settings, size, folder, before, why)
        samples.append(found)
        terminal.line(_line(found))
        for problem in found.problems:
            terminal.complain(problem)
    text = comment(samples, size, options.link)
    (folder / "comment.md").write_text(text, encoding="utf-8")
    (folder / "samples.json").write_bytes(
        b"[" + b",\n".join(canonical_json(one) for one in samples) + b"]\n"
    )
    terminal.document([one.model_dump(mode="json") for one in samples])
    terminal.line(f"  comment  {folder / 'comment.md'}")
    codes = {one.exit_code for one in samples} - {0}
    return min(codes, default=0)  # a mistake to correct before a service that may come back


def _line(found: Sampled) -> str:
    if found.problems:
        return f"✗ {found.pipeline}  failed in {found.seconds:.0f} s"
    verdict = (found.verdict or "not judged").upper()
    mark = VERDICT_MARKS.get(found.verdict or "", "·")
    return f"{mark} {found.pipeline}  {verdict}  {found.because}  {found.seconds:.0f} s"


def _answer() -> object:
    from everfit.operations.delivery.sample import Sampled

    return list[Sampled]


COMMAND = Command(
    group=Group.OPERATE,
    help="try pipelines on a sample of their data, changing nothing",
    description="Runs the pipelines named, or those that changed since --base, on a sample of "
    "their sources in observe mode: of this installation, only the sources are read. With a base, "
    "each is compared with the pipeline as it was there. Ends with 0 whatever the verdict.",
    add_arguments=add_arguments,
    run=run,
    answer=_answer,
    page="how-to/delivery.md",
)
