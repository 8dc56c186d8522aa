"""The codes of everything validate may find strange. See ``docs/reference/anomalies.md``."""

from __future__ import annotations

ANOMALIES: dict[str, str] = {
    "EMPTY-SPAN": "a span without rows",
    "DUPLICATE-SPAN": "a span with the very content of an earlier one",
    "DELIVERED-BEFORE": "a span of which a large part was delivered before, under whatever ids",
    "DUPLICATE-ROWS": "rows that repeat an earlier one in full",
    "OUTSIDE-PERIOD": "rows dated outside their span's period",
    "ROWS-DROPPED": "rows left out because a rule for rows does not hold for them",
    "ROW-RULE": "rows for which a rule does not hold that quarantines the span",
    "ROW-RULE-FAIL": "rows for which a rule does not hold that ends the run",
    "TIME-AHEAD": "rows dated years after all others, whose time counts for nothing",
    "SPAN-ORDER": "spans whose rows say another order than their names",
    "MISSING-COLUMN": "a column that should be there is not",
    "EXTRA-COLUMN": "a column nobody knows",
    "TYPE-CHANGE": "a column of another type than before, or than the schema says",
    "UNREADABLE": "cells that are not of their column's type, and count as missing",
    "LOOKS-LIKE": "a text column that looks like numbers or times",
    "READ-AS": "a column read by a format found in it, or kept as text, digit for digit",
    "NEARLY-UNIQUE": "texts that hardly repeat: free text or an id",
    "NAN": "values that are not a number",
    "INF": "infinite values",
    "ALL-NULL": "a column without a single value",
    "NULL-JUMP": "many more missing values than before, or than the schema allows",
    "NULL-DROP": "many fewer missing values than before",
    "UNIT-CHANGE": "values larger or smaller by a factor, as after a change of units",
    "OUT-OF-RANGE": "numbers outside the schema's min and max",
    "NEW-CATEGORY": "texts outside the schema's domain, or never seen before",
    "TARGET-MISSING": "no value to predict, or none that can be computed",
    "UNLABELLED": "rows that have no label when theirs is due",
    "TARGET-CONSTANT": "one value, or one class, only",
    "TARGET-TYPE": "a target that does not fit the task",
    "TARGET-LEAK": "a feature that gives the target away",
}
"""code → what it is about."""
