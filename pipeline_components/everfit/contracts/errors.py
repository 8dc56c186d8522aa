"""One tree of exceptions, each with the exit code its process ends with.

::

    EverfitError                     code, where, what must hold, what was found, what to do
    ├── UserError          exit 2    a person must fix something; never retried
    │   ├── SpecError                one or many problems of a pipeline's YAML
    │   ├── RequestError             a request that no component can serve
    │   ├── SourceError              data that is not what the spec says
    │   ├── CredentialsError         a credential that is missing or refused
    │   └── IntegrityError           bytes that differ from their recorded digest
    ├── NothingToDo        exit 3    the task is skipped, and says why
    │   └── AllRefused     exit 2    there is work, and all that it needs was refused
    └── Unavailable        exit 75   a service that may come back; retried
        └── Superseded               another run was faster; the plan decides anew
"""

from __future__ import annotations

import errno
import re
from collections.abc import Iterable, Sequence

LONGEST_NAME = 200
"""Letters of a file's name that a message shows."""

_LASTING = (
    errno.EBADF,
    errno.EINVAL,
    errno.EISDIR,
    errno.ELOOP,
    errno.ENAMETOOLONG,
    errno.ENOTDIR,
)
"""What stays so however often it is tried."""

EXIT_DONE = 0
EXIT_USER = 2
EXIT_NOTHING_TO_DO = 3
EXIT_RETRY = 75


class EverfitError(Exception):
    """One line: ``CODE where: what must hold; what was found. What to do next.``.

    Parameters
    ----------
    code : str
        Stable, upper case, documented in ``docs/reference/errors.md``.
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
    """A person must fix something; trying again would not help."""

    exit_code = EXIT_USER


class SpecError(UserError):
    """Every problem of one pipeline's YAML at once; ``problems`` holds a sentence each.

    Parameters
    ----------
    where : str
        The file.
    problems : sequence of str
        Each with its field.
    lines : sequence of int or None, optional
        The line of each in the file, where it has one.
    """

    def __init__(
        self, where: str, problems: Sequence[str], lines: Sequence[int | None] = ()
    ) -> None:
        self.problems = tuple(problems)
        self.lines = tuple(lines) or (None,) * len(self.problems)
        count = f"{len(problems)} problem" + ("s" if len(problems) != 1 else "")
        super().__init__("SPEC", where, f"{count}: " + shortlist(self.told, sep=" | "))

    @property
    def told(self) -> tuple[str, ...]:
        """Every problem with its line, where the file is named beside them."""
        return tuple(
            problem if line is None else f"line {line}: {problem}"
            for line, problem in zip(self.lines, self.problems, strict=True)
        )

    @property
    def located(self) -> tuple[str, ...]:
        """Every problem with its file and line, as editors and compilers write them."""
        return tuple(
            f"{self.where} {problem}" if line is None else f"{self.where}:{line}: {problem}"
            for line, problem in zip(self.lines, self.problems, strict=True)
        )


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
    """What the step reports all the same, as JSON (``Ended``)."""


class AllRefused(NothingToDo):
    """The spans that are needed are there, and were refused or quarantined: a person must act."""

    exit_code = EXIT_USER


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
    where = where if len(where) <= LONGEST_NAME else f"{where[:LONGEST_NAME]}…"
    found = error.strerror or str(error) or type(error).__name__
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return Unavailable(
            "SYSTEM-FULL",
            where,
            "the disk must have room",
            found,
            "Free some space, or set TMPDIR or EVERFIT_HOME to another disk, and try again",
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return UserError(
            "SYSTEM-ACCESS",
            where,
            "this user must be allowed to use the file",
            found,
            "Correct its permissions, or name another place (docs/reference/settings.md)",
        )
    if error.errno in _LASTING:
        return UserError(
            "SYSTEM-NAME",
            where,
            "a file's name and place must be ones that the operating system can use",
            found,
            "Correct the name, the link or the setting that leads there "
            "(docs/reference/settings.md)",
        )
    return Unavailable(
        "SYSTEM",
        where,
        "the operating system must do what it is asked",
        found,
        "Look at the file and the machine, and try again",
    )


def from_data(error: BaseException) -> UserError | None:
    """What an error means that only what was read can have caused; None for any other.

    Parameters
    ----------
    error : BaseException
        One that nobody nearer to its cause has explained.
    """
    named = type(error).__name__
    if named == "ValidationError" and type(error).__module__.startswith("pydantic"):
        return UserError(
            "DOCUMENT",
            str(getattr(error, "title", "a document")),
            "a document must be one that this Everfit writes",
            told(error),
            "Find out who wrote it: a newer Everfit, another program or a person; remove it or "
            "restore it from a backup",
        )
    if isinstance(error, UnicodeError):
        return UserError(
            "ENCODING",
            "a text",
            "every text, argument and file name must be Unicode",
            told(error),
            "Correct what was given, or rename the file",
        )
    return None


def told(error: BaseException) -> str:
    """Any error on one line, without what differs from run to run: addresses and paths."""
    text = re.sub(r"0x[0-9a-fA-F]+|(/[\w.+-]+){2,}", "…", " ".join(str(error).split()))
    return f"{type(error).__name__}: {text[:200]}" if text else type(error).__name__


def shortlist(items: Iterable[str], most: int = 5, sep: str = ", ") -> str:
    """At most ``most`` items, then how many more there are."""
    items = list(items)
    text = sep.join(items[:most])
    return text if len(items) <= most else f"{text}{sep}and {len(items) - most} more"
