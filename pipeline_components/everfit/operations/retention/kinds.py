"""What people call the things in the store, by the names of the files."""

from __future__ import annotations

CACHED = "cached results"

_NAMES = {
    "train.parquet": "training and holdout tables",
    "holdout.parquet": "training and holdout tables",
    "snapshot.parquet": "snapshots that a newer one of the span replaces",
    "losses.parquet": "row losses and samples",
    "sample.parquet": "row losses and samples",
    "data_report.html": "data reports",
    "decision_report.html": "decision reports",
    "decision_report.json": "decision reports",
    "monitor_report.html": "monitoring pages",
    "drift_report.html": "Evidently's pages",
    "model_card.html": "model cards",
    "model_card.json": "model cards",
    "code.tar": "source code",
}
_SUFFIXES = {
    ".skops": "models",
    ".svg": "pictures",
    ".json": "documents",
    ".parquet": "other tables",
    ".html": "other pages",
}

OTHERS = "others"


def kind_of(name: str) -> str:
    """The plural of what a file is: ``models`` of ``linear.skops``."""
    plain = name.rpartition("/")[2]
    if plain in _NAMES:
        return _NAMES[plain]
    dot = plain.rfind(".")
    return _SUFFIXES.get(plain[dot:], OTHERS) if dot >= 0 else OTHERS
