"""One tree of exceptions, each with the exit code its process ends with.

::

    EverfitError                     code, where, what must hold, what was found, what to do
    ├── UserError          exit 2    a person must mend something; never retried
    │   ├── SpecError                one or many problems of a pipeline's YAML
    │   ├── RequestError             a request that no component can serve
    │   ├── SourceError              data that is not what the spec says
    │   ├── CredentialsError         a credential that is missing or refused
    │   └── IntegrityError           bytes that differ from their recorded digest
    ├── NothingToDo        exit 3    the task is skipped, and says why
    └── Unavailable        exit 75   a service that may come back; retried
        └── Superseded               another run was faster; the plan decides anew
"""

from __future__ import annotations

import errno
import re
from collections.abc import Iterable, Sequence

EXIT_DONE = 0
EXIT_USER = 2
EXIT_NOTHING_TO_DO = 3
EXIT_RETRY = 75


class EverfitError(Exception):
    """One line: ``CODE where: what must hold; what was found. What to do next.``.

    Parameters
    ----------
    code : str
        Stable, upper case, documented in ``docs/errors.md``.
    where : str
        The file, field, span or service it is about; never holds a secret.
    must : str
        What must hold.
    found : str, optional
        What was found instead.
    todo : str, optional
        The next step, as a full sentence.
    """

    exit_code = EXIT_RETRY

    def __init__(
        self, code: str, where: str, must: str, found: str | None = None, todo: str | None = None
    ) -> None:
        self.code, self.where, self.must, self.found, self.todo = code, where, must, found, todo
        super().__init__(self.line)

    @property
    def line(self) -> str:
        """The whole message on one line."""
        text = f"{self.code} {self.where}: {self.must}"
        if self.found:
            text += f"; {self.found}"
        text = text.rstrip(".") + "."
        if self.todo:
            text += f" {self.todo.rstrip('.')}" + ("" if self.todo.endswith("?") else ".")
        return " ".join(text.split())


class UserError(EverfitError):
    """A person must mend something; trying again would not help."""

    exit_code = EXIT_USER


class SpecError(UserError):
    """Every problem of one pipeline's YAML at once; ``problems`` holds a line each."""

    def __init__(self, where: str, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        count = f"{len(problems)} problem" + ("s" if len(problems) != 1 else "")
        super().__init__("SPEC", where, f"{count}: " + shortlist(problems, sep=" | "))


class RequestError(UserError):
    """A request that no component can serve."""


class SourceError(UserError):
    """Data that is not what the spec says."""


class CredentialsError(UserError):
    """A credential that is missing or was refused."""


class IntegrityError(UserError):
    """Stored bytes that differ from their recorded digest; nothing of them was loaded."""


class NothingToDo(EverfitError):
    """There is no work; the reason is the message."""

    exit_code = EXIT_NOTHING_TO_DO
    document: bytes | None = None
    """The door's: what the component leaves all the same, as JSON."""


class Unavailable(EverfitError):
    """A service that did not answer and may come back."""


class Superseded(Unavailable):
    """The ledger moved on between reading and writing."""


def from_system(error: OSError) -> EverfitError:
    """What the operating system's complaint means for a person.

    Parameters
    ----------
    error : OSError
        One that nobody nearer to its cause has explained.
    """
    where = str(error.filename or "a file")
    found = error.strerror or str(error) or type(error).__name__
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return Unavailable(
            "SYSTEM-FULL", where, "the disk must have room", found,
            "Free some space, or set TMPDIR or EVERFIT_HOME to another disk, and try again",
        )  # fmt: skip
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return UserError(
            "SYSTEM-ACCESS", where, "this user must be allowed to use the file", found,
            "Correct its permissions, or name another place (docs/settings.md)",
        )  # fmt: skip
    return Unavailable(
        "SYSTEM", where, "the operating system must do what it is asked", found,
        "Look at the file and the machine, and try again",
    )  # fmt: skip


def told(error: BaseException) -> str:
    """Any error on one line, without what differs from run to run: addresses and paths."""
    text = re.sub(r"0x[0-9a-fA-F]+|(/[\w.+-]+){2,}", "…", " ".join(str(error).split()))
    return f"{type(error).__name__}: {text[:200]}" if text else type(error).__name__


def shortlist(items: Iterable[str], most: int = 5, sep: str = ", ") -> str:
    """At most ``most`` items, then how many more there are."""
    items = list(items)
    text = sep.join(items[:most])
    return text if len(items) <= most else f"{text}{sep}and {len(items) - most} more"
