"""The guard is a plugin, and what it understands by a request needs no Airflow."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "plugins"))
