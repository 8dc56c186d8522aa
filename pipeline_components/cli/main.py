"""Parsing of the command line, and the one place where errors become a line and an exit code."""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import sys
from pathlib import Path
from typing import Any

from pipeline_components.contracts.errors import (
    EXIT_RETRY,
    EverfitError,
    NothingToDo,
    SpecError,
    from_system,
)


def parser() -> argparse.ArgumentParser:
    """Every command and flag; ``docs/cli.md`` describes them."""
    top = argparse.ArgumentParser(
        prog="everfit", description="Continuous training for tabular models: models that stay fit."
    )
    top.add_argument("-v", "--verbose", action="store_true", help="log what each step does")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    check = commands.add_parser("check", help="find every mistake in a pipeline's YAML")
    check.add_argument("names", nargs="*", metavar="NAME", help="pipelines; default all")
    check.add_argument(
        "--spec-only", action="store_true", help="do not look at the source, only at the YAML"
    )

    run = commands.add_parser("run", help="run the whole chain in this process, without Airflow")
    run.add_argument("name", metavar="NAME", help="the pipeline")
    run.add_argument(
        "--force", action="store_true", help="go through the chain even where nothing changed"
    )
    run.add_argument("--window", metavar="N|all", help="spans to train on, instead of the spec's")
    run.add_argument("--reason", default="", help="why; kept in the ledger")

    monitor = commands.add_parser(
        "monitor", help="hold the champion against spans it has not seen, in this process"
    )
    monitor.add_argument("name", metavar="NAME", help="the pipeline")
    monitor.add_argument("--json", action="store_true", help="the evaluations, as JSON")

    schema = commands.add_parser(
        "schema", help="infer the table's schema from its spans and write it for review"
    )
    schema.add_argument("name", metavar="NAME", help="the pipeline")
    schema.add_argument("--spans", type=int, metavar="N", help="look at the newest N spans only")
    schema.add_argument("--replace", action="store_true", help="overwrite an existing schema")
    schema.add_argument("--to", type=Path, metavar="FILE", help="write elsewhere than beside it")

    example = commands.add_parser("example", help="write monthly trip records to try Everfit on")
    example.add_argument("--months", type=int, metavar="N", help="months there shall be (6)")
    example.add_argument("--next", action="store_true", help="add one month to what is there")
    example.add_argument("--rows", type=int, default=10_000, metavar="N", help="trips a month")
    example.add_argument("--seed", type=int, default=2018, metavar="N", help="of the generator")
    _add_champion_commands(commands)
    _add_trigger_command(commands)
    _add_replay_command(commands)
    _add_delivery_commands(commands)
    _add_upkeep_commands(commands)
    return top


def _add_trigger_command(commands: Any) -> None:
    """What became of the triggers."""
    triggers = commands.add_parser(
        "triggers", help="the last looks at a pipeline's triggers: what fired, and why or why not"
    )
    triggers.add_argument("name", metavar="NAME", help="the pipeline")
    triggers.add_argument("--limit", type=_count, default=10, metavar="N", help="so many (10)")
    triggers.add_argument(
        "--all", action="store_true", help="also sweeps that repeat the one before"
    )
    triggers.add_argument("--json", action="store_true", help="as JSON")


def _count(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"a number from 1; found {text[:20]!r}")
    return int(text)


def _add_replay_command(commands: Any) -> None:
    """History through other triggers."""
    replay = commands.add_parser("replay", help="history through other triggers, side by side")
    replay.add_argument("name", metavar="NAME", help="the pipeline")
    replay.add_argument(
        "--policy", action="append", metavar="FILE",
        help="YAML with other triggers; may be given again; the pipeline's own come first",
    )  # fmt: skip
    replay.add_argument("--since", metavar="TIME", help="from 2018-01 on, say; default: all")
    replay.add_argument("--until", metavar="TIME", help="up to then; default: all")
    replay.add_argument(
        "--every", default="1d", metavar="LENGTH", help="look this often between arrivals (1d)"
    )
    replay.add_argument("--trainings", action="store_true", help="and list every training")
    replay.add_argument("--json", action="store_true", help="as JSON")


def _add_delivery_commands(commands: Any) -> None:
    """What a change is looked at with before it is merged."""
    changed = commands.add_parser("changed", help="the pipelines that a change concerns")
    changed.add_argument("--base", default="origin/main", metavar="REF", help="since then")
    sample = commands.add_parser(
        "sample", help="run pipelines on a sample in observe mode, touching nothing but the source"
    )
    sample.add_argument("names", nargs="*", metavar="NAME", help="default: those that changed")
    sample.add_argument("--base", metavar="REF", help="what changed, and what to hold it against")
    sample.add_argument(
        "--to", type=Path, required=True, metavar="FOLDER", help="for the reports and the comment"
    )
    sample.add_argument("--spans", type=_count, default=4, metavar="N", help="the newest N (4)")
    sample.add_argument(
        "--rows", type=_count, default=2000, metavar="N", help="of each span (2000)"
    )
    sample.add_argument("--link", default="", metavar="URL", help="where the reports can be had")
    bundle = commands.add_parser("bundle", help="the DAG files as one archive with a version")
    bundle.add_argument("--to", type=Path, required=True, metavar="FOLDER", help="for the archive")
    bundle.add_argument("--commit", default="", metavar="ID", help="where the files come from")
    deploy = commands.add_parser(
        "deploy", help="a bundle and images by digest, together; only told unless --apply is given"
    )
    deploy.add_argument("--to", required=True, metavar="URL", help="file:// or s3://bucket/prefix")
    what = deploy.add_mutually_exclusive_group(required=True)
    what.add_argument("--bundle", type=Path, metavar="FOLDER", help="of everfit bundle")
    what.add_argument("--back", type=_count, metavar="N", help="what deployment N named")
    deploy.add_argument("--images", type=Path, metavar="FILE", help="lines NAME=image@sha256:…")
    deploy.add_argument("--runners", type=Path, metavar="FILE", help="settings of the runners")
    deploy.add_argument("--by", metavar="PERSON", help="who deploys; default: you")
    deploy.add_argument("--apply", action="store_true", help="do it; else only tell")
    deployed = commands.add_parser("deployed", help="what is deployed, newest last")
    deployed.add_argument("--at", required=True, metavar="URL", help="where it is deployed to")
    deployed.add_argument("--number", type=_count, metavar="N", help="default: the newest")
    deployed.add_argument(
        "--write", type=Path, metavar="FOLDER", help="put images.env and runners.yaml there"
    )


def _add_champion_commands(commands: Any) -> None:
    """Who is champion, and changing that by hand."""
    champion = commands.add_parser("champion", help="who is champion, since when and why")
    champion.add_argument("name", metavar="NAME", help="the pipeline")
    champion.add_argument("--at", metavar="TIME", help="who was, at 2026-03-31T14:00 say (UTC)")
    champion.add_argument("--json", action="store_true", help="as JSON")

    history = commands.add_parser("history", help="every champion there was, with reasons")
    history.add_argument("name", metavar="NAME", help="the pipeline")
    history.add_argument("--json", action="store_true", help="as JSON")

    explain = commands.add_parser("explain", help="why a version or a run was decided upon so")
    explain.add_argument("name", metavar="NAME", help="the pipeline")
    explain.add_argument("version", nargs="?", metavar="VERSION", help="default: the champion")
    explain.add_argument("--run", metavar="KEY", help="any run, by the beginning of its key")

    _add_people_commands(commands)

    prune = commands.add_parser(
        "prune", help="what nothing needs any more in store and MLflow; removed only when told to"
    )
    prune.add_argument("name", nargs="?", metavar="NAME", help="the pipeline")
    prune.add_argument("--all", action="store_true", help="of all pipelines, and of none")
    prune.add_argument(
        "--older-than", default="90d", metavar="LENGTH", help="unused for so long (90d)"
    )
    prune.add_argument("--delete", action="store_true", help="remove it; else only tell")

    reproduce = commands.add_parser(
        "reproduce", help="rebuild a version from its lineage, and say how far it is the same"
    )
    reproduce.add_argument("name", metavar="NAME", help="the pipeline")
    reproduce.add_argument("version", metavar="VERSION", help="such as 3 or v3")
    reproduce.add_argument(
        "--here", action="store_true", help="with the code and environment of here"
    )
    reproduce.add_argument("--keep", metavar="DIR", help="keep what is made in this empty folder")
    reproduce.add_argument("--json", action="store_true", help="as JSON")

    reconcile = commands.add_parser(
        "reconcile", help="hold MLflow and the store to the ledger; repair or report"
    )
    reconcile.add_argument("name", metavar="NAME", help="the pipeline")
    reconcile.add_argument("--dry-run", action="store_true", help="change nothing, only tell")
    reconcile.add_argument(
        "--rebuild", action="store_true", help="make again what MLflow lacks: runs and versions"
    )


def _add_upkeep_commands(commands: Any) -> None:
    """Keeping what must not be lost."""
    backup = commands.add_parser("backup", help="copy ledger and store to another place")
    backup.add_argument(
        "--to", required=True, metavar="PLACE", help="a folder, or s3://bucket/prefix"
    )
    backup.add_argument("--list", action="store_true", help="only list the backups there are")
    restore = commands.add_parser("restore", help="fill an empty ledger and store from a backup")
    restore.add_argument("--from", required=True, metavar="PLACE", help="where backups are")
    restore.add_argument("--backup", metavar="NAME", help="which; default: the newest")


def _add_people_commands(commands: Any) -> None:
    """What a person decides."""
    promote = commands.add_parser(
        "promote", help="make a version champion, over the gate: an override, recorded as one"
    )
    promote.add_argument("name", metavar="NAME", help="the pipeline")
    which = promote.add_mutually_exclusive_group(required=True)
    which.add_argument("--to", metavar="VERSION", help="such as 3 or v3")
    which.add_argument(
        "--run", metavar="KEY", help="a run that was held or rejected, by the beginning of its key"
    )
    rollback = commands.add_parser("rollback", help="go back to a version that was champion")
    rollback.add_argument("name", metavar="NAME", help="the pipeline")
    rollback.add_argument("--to", metavar="VERSION", required=True, help="such as 3 or v3")
    approve = commands.add_parser("approve", help="promote the version that waits for a person")
    refuse = commands.add_parser("refuse", help="leave the version that waits a challenger")
    for answer in (approve, refuse):
        answer.add_argument("name", metavar="NAME", help="the pipeline")
        answer.add_argument("version", metavar="VERSION", help="such as 3 or v3")
    approve.add_argument("--reason", default="", help="why; kept beside what the gate says")
    for other in (promote, rollback, refuse):
        other.add_argument("--reason", required=True, help="why; kept in the ledger")
    for each in (promote, rollback, approve, refuse):
        each.add_argument("--by", metavar="PERSON", help="who decides; default: you")


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns its exit code (0 done, 2 a mistake to mend, 75 try again)."""
    options = parser().parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="  %(message)s")
    level = logging.INFO if options.verbose else logging.ERROR
    logging.getLogger("pipeline_components").setLevel(level)
    command: Any = importlib.import_module(f"pipeline_components.cli.{options.command}")
    try:
        code: int = command.command(options)
        sys.stdout.flush()
    except NothingToDo as reason:
        sys.stdout.write(f"Nothing to do. {reason.line}\n")
        return 0
    except SpecError as error:
        sys.stderr.write("".join(f"SPEC {error.where} {line}\n" for line in error.problems))
        return error.exit_code
    except EverfitError as error:
        logging.getLogger(__name__).debug("details", exc_info=True)
        sys.stderr.write(error.line + "\n")
        return error.exit_code
    except KeyboardInterrupt:
        sys.stderr.write("\nStopped. What was finished is kept: run it again to go on.\n")
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        logging.getLogger(__name__).debug("details", exc_info=True)
        plain = from_system(error)
        sys.stderr.write(plain.line + "\n")
        return plain.exit_code
    except Exception as error:
        if options.verbose:
            logging.getLogger(__name__).exception("details")
        sys.stderr.write(
            f"INTERNAL {type(error).__name__}: this is a defect of Everfit. Please report it with "
            f"what `everfit --verbose {options.command}` shows.\n"
        )
        return EXIT_RETRY
    return code
