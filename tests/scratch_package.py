"""A scratch copy of the package with one file more: what the recipes of the docs add."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

DOCS = Path(__file__).resolve().parents[1] / "docs"
PACKAGE = Path(__file__).resolve().parents[1] / "pipeline_components" / "everfit"


def scratch_package(folder: Path, page: str, path: str) -> Path:
    """Copy the package into a folder, and add the file that a page of the docs shows in full.

    Parameters
    ----------
    folder : Path
        Goes on ``PYTHONPATH``.
    page : str
        Such as ``explanation/triggers.md``.
    path : str
        Below ``folder``; the first line of the page's code block says it.
    """
    shutil.copytree(PACKAGE, folder / "everfit", ignore=shutil.ignore_patterns("__pycache__"))
    block = rf"^```python\n# pipeline_components/{re.escape(path)}\n(.*?)^```$"
    recipe = re.search(block, (DOCS / page).read_text(), re.M | re.S)
    assert recipe is not None, f"{page} shows no {path}"
    (folder / path).write_text(recipe[1])
    return folder
