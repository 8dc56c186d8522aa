"""The one place where a command is called, and where errors become a line and an exit code."""

from __future__ import annotations

import io
import logging
import os
import sys
from collections.abc import Sequence

from everfit.cli.parser import parse
from everfit.cli.terminal import Terminal, set_log_level
from everfit.contracts.errors import (
    EXIT_RETRY,
    AllRefused,
    EverfitError,
    NothingToDo,
    SpecError,
    from_data,
    from_system,
)
from everfit.contracts.extras import missing_extra
from everfit.engine.stopping import EXIT_TERMINATED, STOPPED, Terminated, terminable

log = logging.getLogger(__name__)


def _no_work(reason: NothingToDo, terminal: Terminal) -> int:
    """Say why nothing was done; the exit code."""
    if isinstance(reason, AllRefused):
        terminal.complain(reason.line)
        terminal.document({"refused": reason.line})
        return reason.exit_code
    terminal.line(f"Nothing to do. {reason.line}")
    terminal.document({"nothing_to_do": reason.line})
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code (0 done, 2 a mistake to correct, 75 try again)."""
    _open_streams()
    terminal = Terminal()
    name, verbose = "", False
    try:
        name, command, options = parse(sys.argv[1:] if arguments is None else arguments)
        verbose = options.verbose
        set_log_level(verbose)
        terminal = Terminal(as_json=options.json, verbose=verbose)
        with terminable():
            code = command.run(options, terminal)
        terminal.close()
    except NothingToDo as reason:
        return _no_work(reason, terminal)
    except SpecError as error:
        for line in error.located:
            terminal.complain(f"SPEC {line}")
        return error.exit_code
    except EverfitError as error:
        log.debug("details", exc_info=True)
        terminal.complain(error.line)
        return error.exit_code
    except KeyboardInterrupt:
        terminal.complain("")
        terminal.complain("Stopped. What was finished is kept: run it again to continue.")
        return 130
    except Terminated:
        terminal.complain(STOPPED)
        return EXIT_TERMINATED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        log.debug("details", exc_info=True)
        plain = from_system(error)
        terminal.complain(plain.line)
        return plain.exit_code
    except Exception as error:
        explained = _explained(error)
        if verbose:
            log.exception("details")
        defect = (
            f"INTERNAL {type(error).__name__}: this is a defect of Everfit. Please report it with "
            f"what `everfit --verbose {name}` shows."
        )
        terminal.complain(explained.line if explained else defect)
        return explained.exit_code if explained else EXIT_RETRY
    return code


def _explained(error: Exception) -> EverfitError | None:
    """What else a person can do something about."""
    if isinstance(error, ModuleNotFoundError):
        return missing_extra(error)
    return from_data(error)


def _open_streams() -> None:
    """Have somewhere to write, whatever the caller has closed and however it reads."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed: nobody wants to know
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a locale without ✓ is no reason to fail
            stream.reconfigure(errors="backslashreplace")
