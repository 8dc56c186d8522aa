"""How a component's failure reaches Airflow: one line, and whether another try could help.

Both derive from ``SystemExit``: Airflow treats a task's exit like any failure, with retries and
callbacks, but logs its message alone, where another exception would be logged with a traceback of
the operator, which never tells a user anything.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import ExceptionRetryPolicy, RetryAction, RetryRule


class ComponentFailed(SystemExit):
    """The component ended badly, and may do better on another try."""


class UserActionRequired(ComponentFailed):
    """A person must fix something; trying again would not help."""


RETRIES: dict[str, Any] = {
    "retries": 2,
    "retry_delay": timedelta(seconds=15),
    "retry_exponential_backoff": 2,
    "max_retry_delay": timedelta(minutes=10),
    "retry_policy": ExceptionRetryPolicy([RetryRule(UserActionRequired, RetryAction.FAIL)]),
}
"""Arguments of every task: two more tries, further and further apart, unless it is no use."""
