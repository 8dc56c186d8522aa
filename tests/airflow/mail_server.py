"""A mail server of our own: what arrives is kept."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any, cast

from aiosmtpd.controller import Controller


@dataclass
class Mails:
    """The mails that came, in their order."""

    port: int
    arrived: list[EmailMessage] = field(default_factory=list)

    def subjects(self, pipeline: str) -> list[str]:
        """Of the mails about a pipeline."""
        return [str(m["Subject"]) for m in self.arrived if m["X-Everfit-Pipeline"] == pipeline]

    def page(self, subject: str) -> str:
        """The text of the one mail of that subject."""
        (mail,) = [m for m in self.arrived if m["Subject"] == subject]
        (part,) = mail.iter_parts()
        return str(part.get_content())

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        """A mail arrives."""
        del server, session
        mail = message_from_bytes(envelope.content, policy=default)
        self.arrived.append(cast(EmailMessage, mail))
        return "250 OK"


@contextmanager
def mail_server() -> Iterator[Mails]:
    """A server on a free port, until the end of the block."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        mails = Mails(free.getsockname()[1])
    server = Controller(mails, hostname="127.0.0.1", port=mails.port)
    server.start()
    try:
        yield mails
    finally:
        server.stop()
