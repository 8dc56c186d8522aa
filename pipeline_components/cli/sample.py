"""``everfit sample``: pipelines on a sample of their sources, where nothing can be promoted."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline_components.context import pin_threads
from pipeline_components.contracts.errors import SpecError, UserError
from pipeline_components.contracts.settings import Settings
from pipeline_components.contracts.spec_file import find_spec, load_spec

if TYPE_CHECKING:
    from pipeline_components.delivery.sample import Sampled


def command(options: argparse.Namespace) -> int:
    """Run the pipelines named, or those that changed; write reports and the comment."""
    from pipeline_components.delivery.changed import changed_pipelines

    settings = Settings.from_environment()
    if not options.names and not options.base:
        raise UserError(
            "SAMPLE-WHICH", "everfit sample", "names or a base say which pipelines",
            "neither is given", "Give names, or --base origin/main",
        )  # fmt: skip
    if options.names:
        wanted = dict.fromkeys(options.names, "")
        for name in wanted:
            find_spec(settings.pipelines, name)
    else:
        wanted = changed_pipelines(settings.root, settings.pipelines, options.base)
    return _sample(wanted, settings, options)


def _sample(wanted: dict[str, str], settings: Settings, options: argparse.Namespace) -> int:
    specs = {}
    broken = {}
    for name in wanted:
        try:
            specs[name] = load_spec(find_spec(settings.pipelines, name))
        except SpecError as error:
            broken[name] = error
    pin_threads(max((spec.train.threads for spec in specs.values()), default=1))
    from pipeline_components.contracts.base import canonical_json
    from pipeline_components.delivery.changed import spec_at
    from pipeline_components.delivery.comment import comment
    from pipeline_components.delivery.sample import Sampled, Size, sample

    size = Size(options.spans, options.rows)
    folder: Path = options.to
    folder.mkdir(parents=True, exist_ok=True)
    samples = []
    for name, why in wanted.items():
        if name in broken:
            lines = tuple(f"SPEC {broken[name].where} {line}" for line in broken[name].problems)
            found = Sampled(pipeline=name, why=why, problems=lines, exit_code=2)
        else:
            before = None
            if options.base:
                before = spec_at(settings.root, settings.pipelines, name, options.base)
            found = sample(specs[name], settings, size, folder, before, why)
        samples.append(found)
        sys.stdout.write(_line(found))
        sys.stdout.flush()
        for problem in found.problems:
            sys.stderr.write(f"{problem}\n")
    text = comment(samples, size, options.link)
    (folder / "comment.md").write_text(text, encoding="utf-8")
    (folder / "samples.json").write_bytes(
        b"[" + b",\n".join(canonical_json(one) for one in samples) + b"]\n"
    )
    sys.stdout.write(f"  comment  {folder / 'comment.md'}\n")
    codes = {one.exit_code for one in samples} - {0}
    return min(codes, default=0)  # a mistake to mend before a service that may come back


def _line(found: Sampled) -> str:
    if found.problems:
        return f"✗ {found.pipeline}  failed in {found.seconds:.0f} s\n"
    verdict = (found.verdict or "not judged").upper()
    return f"✓ {found.pipeline}  {verdict}  {found.because}  {found.seconds:.0f} s\n"
