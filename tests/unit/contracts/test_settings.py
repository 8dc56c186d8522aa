"""Where things are, in folders whose names people do choose."""

from __future__ import annotations

from pathlib import Path

import pytest

from everfit.contracts.errors import UserError
from everfit.contracts.price import read_price, work
from everfit.contracts.settings import Settings
from everfit.engine.context import open_context


@pytest.mark.parametrize("name", ["a b", "a%20b", "50%", "a#b", "it's", "é"])
def test_signs_in_the_name_of_a_folder_lead_nowhere_else(tmp_path: Path, name: str) -> None:
    root = tmp_path / name
    (root / "dags" / "pipelines").mkdir(parents=True)
    with open_context(Settings.from_environment({"EVERFIT_ROOT": str(root)})) as context:
        assert not context.ledger.runs("fares")
        digest = context.store.put("x.txt", write(tmp_path / "x.txt")).digest
        assert context.store.local(digest, context.scratch).read_text() == "hi"
    assert {path.name for path in tmp_path.iterdir()} == {name, "x.txt"}
    assert (root / ".everfit" / "ledger.db").is_file()


def write(path: Path) -> Path:
    path.write_text("hi")
    return path


@pytest.mark.parametrize("setting", ["EVERFIT_HOME", "EVERFIT_ROOT"])
def test_a_question_mark_is_blamed_on_the_setting_that_holds_it(setting: str) -> None:
    with pytest.raises(UserError, match=r"HOME .*holds no .*Set EVERFIT_HOME") as refused:
        Settings.from_environment({"EVERFIT_ROOT": "/tmp/root", setting: "/tmp/what?"})
    assert "LEDGER" not in refused.value.line
    assert "/tmp/what?" in refused.value.line


def test_a_question_mark_harms_nobody_whose_databases_are_elsewhere() -> None:
    home = {"EVERFIT_ROOT": "/tmp/root", "EVERFIT_HOME": "/tmp/what?"}
    elsewhere = {"EVERFIT_LEDGER": "sqlite:////x/l.db", "EVERFIT_MLFLOW": "http://mlflow:5000"}
    assert Settings.from_environment(home | elsewhere).home == Path("/tmp/what?")


def test_a_price_is_a_number_and_a_currency() -> None:
    price = read_price(" 0.04 EUR ")
    assert price is not None
    assert price.money(25 * 3600) == "1.00 EUR"
    assert work(36_000_000.0, read_price("2$")) == "10,000 CPU hours, $20,000.00"
    assert work(5400, None) == "1.5 CPU hours"
    assert read_price("") is None


@pytest.mark.parametrize(
    "text", ["cheap", "0,04 EUR", "0.04", "-1 EUR", "1e3 EUR", "4 EUR/h", "nan €"]
)
def test_what_is_no_price_is_one_line(text: str) -> None:
    with pytest.raises(UserError, match="CPU-HOUR-PRICE EVERFIT_CPU_HOUR_PRICE: ") as refused:
        read_price(text)
    assert text in refused.value.line
