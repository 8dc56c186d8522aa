"""The example notebook runs from its first cell to its last, in a folder of its own."""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path

import pytest

NOTEBOOK = Path(__file__).resolve().parents[3] / "examples" / "notebook.ipynb"


@pytest.mark.thorough
def test_it_runs_and_shows_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Jupyter's own
        import nbformat
        from nbclient import NotebookClient

        for name in [name for name in os.environ if name.startswith("EVERFIT_")]:
            monkeypatch.delenv(name)
        monkeypatch.setenv("EVERFIT_ROOT", str(tmp_path))
        monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
        notebook = nbformat.read(NOTEBOOK, as_version=4)
        NotebookClient(
            notebook,
            timeout=1200,
            kernel_name="python3",
            resources={"metadata": {"path": tmp_path}},
        ).execute()
    shown = [cell.outputs for cell in notebook.cells if cell.cell_type == "code"]
    html = [
        output["data"]["text/html"]
        for outputs in shown
        for output in outputs
        if "text/html" in output.get("data", {})
    ]
    assert any("PROMOTE" in text for text in html)
    assert any("NOTHING TO DO" in text for text in html)
    pictures = [
        output
        for outputs in shown
        for output in outputs
        if "image/svg+xml" in output.get("data", {})
    ]
    assert len(pictures) == 2
    assert not any(output.output_type == "error" for outputs in shown for output in outputs)


def test_it_is_kept_without_outputs() -> None:
    import json

    cells = json.loads(NOTEBOOK.read_text())["cells"]
    assert all(not cell.get("outputs") for cell in cells)
