"""The components by name, and the image of its own that a pipeline may name for each."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import Annotated, Any, Literal, get_args

from pydantic import StringConstraints

Component = Literal[
    "plan",
    "extract",
    "validate",
    "prepare",
    "train",
    "evaluate",
    "gate",
    "refit",
    "register",
    "watch",
    "monitor",
    "fall_back",
    "drift_report",
    "score",
    "promote",
    "reconcile",
]

Imaged = Component | Literal["default"]

Image = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/:@-]{0,254}$")]
"""The name of a container image, or its id."""


def known_components(images: Any) -> Any:
    """The mapping itself, as written.

    Raises
    ------
    ValueError
        If a name in it is no component's; one line, where pydantic has two.
    """
    known = (*get_args(Component), "default")
    for name in images if isinstance(images, dict) else ():
        if name not in known:
            close = get_close_matches(str(name), known, 1)
            hint = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(known)}"
            raise ValueError(f"{name!r} is no component; {hint}")
    return images


_PINNED = re.compile(r"(.+@)?sha256:[0-9a-f]{64}", re.ASCII)


def is_pinned(image: str) -> bool:
    """Whether a name stands for the same bytes for ever: a digest or an image id, not a tag."""
    return _PINNED.fullmatch(image) is not None
