"""Which of the signing keys a component gets: the private one to sign, the public one to verify."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from pathlib import Path

from everfit.contracts.messages.steps import Component
from everfit.contracts.runners import SIGNERS
from everfit_airflow.operators.failures import UserActionRequired

WRITTEN = re.compile(r"ed25519:[A-Za-z0-9+/]{43}=")


def signing_keys(private: str, known: str, *, signs: bool) -> dict[str, str]:
    """The variables of the keys.

    Parameters
    ----------
    private : str
        The private key: PEM, or a path to it; empty where there is none but the one that Everfit
        makes in ``EVERFIT_HOME``.
    known : str
        Public keys that count too: PEM, ``ed25519:<base64>``, or a path to them.
    signs : bool
        Whether the component signs; one that does not gets the public key in place of the private.

    Raises
    ------
    UserActionRequired
        If the private key is none.
    """
    private, known = text_of(private), text_of(known)
    if signs:
        given = {"EVERFIT_SIGNING_KEY": private, "EVERFIT_VERIFY_KEY": known}
    elif private and not is_path(private) and not (known and is_path(known)):
        given = {"EVERFIT_VERIFY_KEY": "\n".join(filter(None, (known, public_of(private))))}
    else:
        given = {"EVERFIT_VERIFY_KEY": known}
    return {name: value for name, value in given.items() if value}


def text_of(value: str) -> str:
    """What a setting names, read: a container does not see Airflow's files.

    A file that is not here is left to the component, which may see it.
    """
    if not value or not is_path(value):
        return value.replace("\\n", "\n")
    try:
        return Path(value).read_text("ascii", "replace")
    except OSError:
        return value


def is_path(value: str) -> bool:
    """Whether a key is named by its place."""
    return "-----BEGIN" not in value and WRITTEN.search(value) is None


def public_of(private: str) -> str:
    """The public key of a private one, as people hand it on: ``ed25519:<base64>``."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(private.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise UserActionRequired(
            "SIGNING-KEY: the private key that signs versions must be an Ed25519 key in PEM "
            "without a pass phrase; it is none. Make one with openssl genpkey -algorithm ed25519."
        )
    return f"ed25519:{base64.b64encode(key.public_key().public_bytes_raw()).decode()}"


def require_key(component: Component, secrets: Mapping[str, str]) -> None:
    """See that a container which signs is given the key; one it made would be gone with it.

    Raises
    ------
    UserActionRequired
        If it is not.
    """
    if component in SIGNERS and "EVERFIT_SIGNING_KEY" not in secrets:
        raise UserActionRequired(
            f"SIGNING-KEY {component}: a component that signs in a container must be given the "
            "key; no connection is named for signing, and EVERFIT_SIGNING_KEY is not set. Make one "
            "with openssl genpkey -algorithm ed25519; see docs/how-to/production.md."
        )
