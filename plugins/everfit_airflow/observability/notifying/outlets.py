"""Sending a message through the notifiers of Airflow's providers.

A provider is imported when it has something to send, for every process of Airflow imports this
module. Its notifier is asked to ``notify`` and not called: a call would render the text as a
template, and the text quotes names from data.
"""

from __future__ import annotations

from typing import Any

from everfit.contracts.spec.notices import Destination, NewsKind, Service
from everfit_airflow.observability.notifying.message import Message

PATIENCE = 10
"""Seconds for Slack to answer; mail servers have the timeout of their connection."""

APPRISE_TYPES: dict[NewsKind, str] = {
    "promoted": "success",
    "waiting": "info",
    "held": "info",
    "rejected": "info",
    "failed": "failure",
}
"""What Apprise calls it, where it is no warning."""


def send(message: Message, to: Destination) -> None:
    """Send a message.

    Raises
    ------
    Exception
        Whatever the provider, the connection or the network has to complain of.
    """
    SENDERS[to.service](message, to.target)


def _slack(message: Message, channel: str) -> None:
    from airflow.providers.slack.notifications.slack import SlackNotifier

    notifier: Any = SlackNotifier(
        text=message.slack,
        channel=channel,
        username="Everfit",
        timeout=PATIENCE,
        unfurl_links=False,
        unfurl_media=False,
    )
    notifier.notify({})


def _smtp(message: Message, recipients: str) -> None:
    from airflow.providers.smtp.notifications.smtp import SmtpNotifier

    SmtpNotifier(
        to=recipients,
        subject=message.subject,
        html_content=message.html,
        custom_headers={
            "Auto-Submitted": "auto-generated",  # so that nobody's holiday answers it
            "X-Everfit-Pipeline": message.pipeline,
            "X-Everfit-Kind": message.kind,
        },
    ).notify({})


def _apprise(message: Message, tag: str) -> None:
    from airflow.providers.apprise.notifications.apprise import AppriseNotifier
    from apprise import NotifyType

    notifier: Any = AppriseNotifier(
        title=message.subject,
        body=message.text,
        tag=tag,
        notify_type=NotifyType(APPRISE_TYPES.get(message.kind, "warning")),
    )
    _mask_addresses(notifier)
    notifier.notify({})


def _mask_addresses(notifier: Any) -> None:
    """Apprise's addresses hold tokens, and Airflow does not know that they are secret."""
    from airflow.sdk.log import mask_secret

    config = notifier.hook.get_config_from_conn(
        notifier.hook.get_connection(notifier.apprise_conn_id)
    )
    for entry in config if isinstance(config, list) else [config]:
        mask_secret(entry["path"])


SENDERS: dict[Service, Any] = {"slack": _slack, "smtp": _smtp, "apprise": _apprise}
