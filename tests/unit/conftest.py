"""Real tables as Arrow tables."""

from __future__ import annotations

import pyarrow.csv
import pytest
from hypothesis import settings

# The same examples every time; `--hypothesis-profile default` looks for new ones.
settings.load_profile("ci")


@pytest.fixture(scope="session")
def months(shared_data):
    """Month → table, all of ``nyc_yellow``, oldest first."""
    return {
        path.stem: pyarrow.csv.read_csv(path)
        for path in sorted((shared_data / "nyc_yellow").glob("*.csv"))
    }


@pytest.fixture(scope="session")
def read_csv(shared_data):
    return lambda name: pyarrow.csv.read_csv(shared_data / name)
