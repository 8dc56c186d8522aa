"""The reasons for which prepare leaves rows out."""

from __future__ import annotations

LEFT_OUT: dict[str, str] = {
    "target_missing": "without a target",
    "older_version": "that are older versions of a row (key)",
    "entity_in_holdout": "of the window about entities of the holdout",
    "seen_by_champion": "of the holdout that the champion was trained on",
    "entity_seen_by_champion": "of the holdout about entities that the champion was trained on",
    "class_unseen_in_training": "of the holdout of a class that no training row has",
}
"""Reason → which rows they are."""

RULE = "rule: "
"""How a reason begins that is a rule of ``validation.rows``; the expression follows."""

MUCH = 0.05
"""A larger share is worth a warning."""
