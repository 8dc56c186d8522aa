"""Ports: the one asked for, or a free one where none is asked for."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping

from everfit_launch.errors import LaunchError

HOST = "127.0.0.1"


def port_setting(
    name: str,
    default: int,
    purpose: str,
    environ: Mapping[str, str] | None = None,
    say: Callable[[str], None] | None = None,
) -> int:
    """The port a setting names, checked to be free; ``0`` takes any free one.

    Where the setting is not set and the default is taken, a free one is found.

    Parameters
    ----------
    say : callable, optional
        Is told that the default is taken, and which port is used.

    Raises
    ------
    LaunchError
        If what the setting names is no port, or taken.
    """
    text = (os.environ if environ is None else environ).get(name)
    if not text:
        try:
            return claim(default, name, purpose)
        except LaunchError:
            port = claim(0, name, purpose)
        if say is not None:
            say(f"port {default} is taken: {purpose} is at port {port}")
        return port
    if not text.isdigit() or int(text) > 65535:
        raise LaunchError(
            f"PORT {name}: a port is a number from 0 to 65535; found {text[:20]!r}. "
            "Correct the setting."
        )
    return claim(int(text), name, purpose)


def claim(port: int, setting: str, purpose: str) -> int:
    """Check that a port can be listened on and give its number back."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise LaunchError(
                f"PORT {port}: {purpose} needs this port; it cannot be had ({error.strerror}). "
                f"Stop what uses it, or choose another: {setting}={port + 1}."
            ) from None
        number: int = probe.getsockname()[1]
        return number
