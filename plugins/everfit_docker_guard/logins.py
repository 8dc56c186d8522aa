"""Who asks: a runner, known by its token."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping

from everfit_docker_guard.refusal import Refused
from everfit_docker_guard.settings import GuardSettings, SettingsError

SHORTEST = 16
"""Characters of a token at least."""


class Logins:
    """The tokens of the runners, of which only digests are kept.

    Parameters
    ----------
    tokens : mapping
        Runner → token; none at all: whoever reaches the guard may ask.
    """

    def __init__(self, tokens: Mapping[str, str]) -> None:
        self._digests = {name: _digest(token.encode()) for name, token in tokens.items()}

    def runner(self, headers: Mapping[bytes, bytes]) -> str | None:
        """The runner that sent a request; None where none has a token.

        Parameters
        ----------
        headers : mapping
            Names in lower case.

        Raises
        ------
        Refused
            If it has not said the token of any.
        """
        if not self._digests:
            return None
        scheme, _, token = headers.get(b"authorization", b"").partition(b" ")
        said, found = _digest(token.strip()), None
        for name, digest in self._digests.items():
            # Each is compared to its end, so that the time tells nothing of any.
            if hmac.compare_digest(digest, said):
                found = name
        if found is None or scheme.lower() != b"bearer":
            raise Refused("login", "a runner says its token (EVERFIT_GUARD_TOKEN)", status=401)
        return found


def read_logins(settings: GuardSettings) -> Logins:
    """The tokens in the files that the settings name.

    Raises
    ------
    SettingsError
        If one cannot be read, is too short, or is another runner's too.
    """
    tokens: dict[str, str] = {}
    for name, runner in settings.runners.items():
        try:
            token = runner.token.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise _wrong(name, f"must name a file with a token; {type(error).__name__}") from None
        if len(token) < SHORTEST or not token.isascii() or not token.isprintable():
            raise _wrong(name, f"a token has {SHORTEST} characters or more, all of them ASCII")
        if token in tokens.values():
            raise _wrong(name, "a token is of one runner; another has the same")
        tokens[name] = token
    return Logins(tokens)


def _wrong(name: str, why: str) -> SettingsError:
    return SettingsError(f"GUARD runners.{name}.token: {why}.")


def _digest(token: bytes) -> bytes:
    return hashlib.sha256(token).digest()
