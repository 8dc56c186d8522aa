"""What is not let through, and why, in one line."""

from __future__ import annotations


class Refused(Exception):
    """A line that says ``GUARD what: rule; found``.

    Parameters
    ----------
    what : str
        The call or field; holds nothing a client chose but plain words.
    must : str
        What is let through instead.
    found : str, optional
        What was found; never a value that could be a secret.
    status : int
        403, or 401 for who has no token, 413 for what is too large, 503 for what may be let
        through later.
    """

    def __init__(self, what: str, must: str, found: str = "", status: int = 403) -> None:
        self.status = status
        line = f"GUARD {what}: {must}" + (f"; {found}" if found else "")
        super().__init__(line.rstrip(".") + ".")
