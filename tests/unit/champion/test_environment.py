"""The libraries a version was made with: here, to be had, or neither; a real uv, a small index."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everfit.champion import environment as module
from everfit.champion.environment import check_environment, distributions_of, pins, unresolvable
from everfit.contracts.errors import UserError
from everfit.engine.fingerprints import environment
from everfit.ml.model.save import save_model

PYTHON = environment()["python"]


def wheel(folder: Path, name: str, version: str, needs: str = "") -> None:
    """A distribution that uv can find, and that holds nothing."""
    place = f"{name}-{version}.dist-info"
    text = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as archive:
        archive.writestr(f"{place}/METADATA", text + (f"Requires-Dist: {needs}\n" if needs else ""))
        archive.writestr(f"{place}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr(f"{place}/RECORD", "")


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """All that uv can reach."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("UV_NO_INDEX", "1")
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_FIND_LINKS", str(folder))
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("UV_NO_CONFIG", "1")
    return folder


def test_what_is_installed_here_needs_no_uv(monkeypatch) -> None:
    monkeypatch.setattr(module, "uv_program", lambda: pytest.fail("uv was asked for"))
    assert check_environment("fares v1", environment()) == (
        "its libraries are those installed here"
    )
    patch = ".".join([*PYTHON.split(".")[:2], "99"])
    assert "installed here" in check_environment("fares v1", {**environment(), "python": patch})


def test_other_versions_that_can_be_had_are_named(index) -> None:
    wheel(index, "numpy", "1.99.0")
    told = check_environment("fares v1", {"python": PYTHON, "numpy": "1.99.0"})
    here = environment()["numpy"]
    assert told == f"it was made with numpy 1.99.0 (here {here}); these can be installed"


def test_versions_that_cannot_be_had_refuse_the_version_in_one_line(index) -> None:
    with pytest.raises(UserError) as refused:
        check_environment("fares v1", {"python": PYTHON, "numpy": "1.99.0"})
    line = refused.value.line
    assert line.startswith("CHAMPION-ENVIRONMENT fares v1: the libraries it was made with must be")
    assert f"it needs numpy 1.99.0 (here {environment()['numpy']}), and uv says: " in line
    assert "\n" not in line


def test_versions_that_do_not_go_together_cannot_be_had(index) -> None:
    wheel(index, "numpy", "1.99.0")
    wheel(index, "scipy", "9.0.0", needs="numpy>=2")
    assert unresolvable({"numpy": "1.99.0"}, PYTHON) is None
    found = unresolvable({"numpy": "1.99.0", "scipy": "9.0.0"}, PYTHON)
    assert found is not None
    assert "scipy depend on numpy>=2" in found


def test_without_uv_nobody_can_say_and_that_is_no_yes(monkeypatch) -> None:
    monkeypatch.setattr(module, "uv_program", lambda: None)
    with pytest.raises(UserError, match="uv, which could check, is not installed"):
        check_environment("fares v1", {**environment(), "numpy": "1.99.0"})


def test_another_python_is_another_environment(monkeypatch) -> None:
    monkeypatch.setattr(module, "uv_program", lambda: None)
    with pytest.raises(UserError, match=r"Python 3\.8\.1 \(here"):
        check_environment("fares v1", {**environment(), "python": "3.8.1"})
    with pytest.raises(UserError, match=r"Python unknown \(here"):
        check_environment("fares v1", {"numpy": environment()["numpy"]})


def test_a_library_of_its_own_estimator_counts_too(monkeypatch) -> None:
    monkeypatch.setattr(module, "uv_program", lambda: None)
    with pytest.raises(UserError, match=r"needs catboost 1\.2\.0 \(here none\)"):
        check_environment("fares v1", environment(), {"catboost": "1.2.0"})
    # What was installed counts before what a lock would have installed.
    check_environment("fares v1", environment(), {"numpy": "1.99.0"})


def test_pins_of_a_lock_with_hashes_comments_and_markers() -> None:
    lock = """
# by hand
numpy==2.4.6 ; python_version >= "3.11" \\
    --hash=sha256:00
    # via scipy
Scikit_Learn==1.9.1
--index-url https://example.org
local @ file:///x
torch==2.0.0+cpu
numpy==1.0.0 ; python_version < "3.11"
"""
    assert pins(lock) == {"numpy": "2.4.6", "scikit-learn": "1.9.1", "torch": "2.0.0+cpu"}


@given(st.text(max_size=200))
def test_any_text_has_pins_that_are_names_and_versions(text: str) -> None:
    for name, version in pins(text).items():
        assert name == name.lower()
        assert not set(name + version) & set(" ;\\\n=,@/")


def test_the_distributions_of_a_model_are_read_from_its_names() -> None:
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline

    found = distributions_of(save_model(make_pipeline(Ridge()))[0])
    assert "scikit-learn" in found
    assert "everfit" not in found
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as made:
        made.writestr("schema.json", '{"__module__": "yaml.nodes", "x": {"__module__": "re"}}')
    assert distributions_of(archive.getvalue()) == {"pyyaml"}
