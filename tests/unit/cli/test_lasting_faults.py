"""What stays wrong however often it is tried ends with exit code 2 and one line."""

from __future__ import annotations

import errno
import os
import subprocess
import sys

import pytest
from pydantic import ValidationError

from everfit.contracts.errors import RequestError, Unavailable, UserError, from_data, from_system
from everfit.contracts.messages.artifacts import Artifact
from everfit.contracts.messages.steps import Order, RunOptions
from everfit.storage.ledger import open_ledger, statements
from tests.unit.register.small_run import SPEC, small_run

EVERFIT = "import sys; from everfit.cli import main; sys.exit(main())"


def test_a_window_below_min_spans_is_told_before_anything_runs():
    window = SPEC.window.model_copy(update={"spans": 3, "min_spans": 2})
    spec = SPEC.model_copy(update={"window": window})
    order = Order(component="plan", pipeline=spec, options=RunOptions(window=1))
    with pytest.raises(RequestError, match=r"^WINDOW fares window: .* 1 is asked for, and min_sp"):
        order.effective_pipeline  # noqa: B018
    more = order.model_copy(update={"options": RunOptions(window=2)})
    assert more.effective_pipeline.window.spans == 2


@pytest.mark.parametrize(
    "number", [errno.ENAMETOOLONG, errno.ELOOP, errno.ENOTDIR, errno.EISDIR, errno.EINVAL]
)
def test_a_name_that_no_system_takes_is_not_tried_again(number):
    told = from_system(OSError(number, os.strerror(number), "x" * 5000))
    assert isinstance(told, UserError)
    assert told.exit_code == 2
    assert len(told.line) < 600


def test_what_may_pass_is_tried_again():
    assert isinstance(from_system(OSError(errno.EIO, "I/O error", "x")), Unavailable)


def test_a_document_of_another_program_and_a_text_that_is_none_are_told():
    with pytest.raises(ValidationError) as caught:
        Artifact.model_validate_json(b'{"kind": "other"}')
    found = from_data(caught.value)
    assert found is not None
    assert found.line.startswith("DOCUMENT Artifact: ")
    with pytest.raises(UnicodeError) as wrong:
        "\udcff".encode()
    assert from_data(wrong.value).exit_code == 2
    assert from_data(RuntimeError("ours")) is None


@pytest.mark.parametrize("value", ["{", "", "[]", "\x00", "[" * 100_000, '{"version": "x"}'])
def test_a_row_that_everfit_did_not_write_is_named(context, value):
    request = small_run(context)
    values = statements.RUNS.row(context.ledger.run(request.run_key)) | {"champion": value}
    connection = context.ledger._connection
    connection.insert(
        statements.RUNS.insert, {**values, "pipeline": "fares", "run_key": "f" * 64, "at": ""}
    )
    with pytest.raises(UserError, match=r"^LEDGER-ROW ledger .*everfit_runs: .*everfit restore"):
        context.ledger.run("f" * 64)
    with open_ledger(context.settings.ledger) as again:
        assert again.run(request.run_key) is not None


@pytest.mark.parametrize("redirect", [">&-", "2>&-", ">&- 2>&-"])
def test_a_closed_stream_is_no_defect(settings, redirect):
    program = ["bash", "-c", f'"$0" -c "$1" runs {redirect}', sys.executable, EVERFIT]
    environment = {"PATH": os.environ["PATH"], "EVERFIT_ROOT": str(settings.root)}
    done = subprocess.run(program, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "INTERNAL" not in done.stderr


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp037", "utf-16"])
def test_a_stream_that_is_not_unicode_is_no_defect(settings, encoding):
    environment = {
        "PATH": os.environ["PATH"],
        "EVERFIT_ROOT": str(settings.root),
        "PYTHONIOENCODING": encoding,
    }
    done = subprocess.run(
        [sys.executable, "-c", EVERFIT, "--help"], env=environment, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
