"""Puts the comment on a pull request, in place of the one that was there before.

::

    python -m everfit.operations.delivery.post comment.md

reads what GitHub Actions says of itself: ``GITHUB_API_URL``, ``GITHUB_REPOSITORY``,
``PULL_REQUEST`` and ``GITHUB_TOKEN``. Needs the standard library alone, and the last one no more
than the permission ``pull-requests: write``.
"""

from __future__ import annotations

import json
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from everfit.contracts.errors import CredentialsError, EverfitError, Unavailable, UserError

MARK_LINES = 1
"""The first line of a comment says whose it is."""

PAGE = 100


def post(text: str, environ: Mapping[str, str]) -> str:
    """Write the comment; returns the address of its page.

    Raises
    ------
    UserError
        If a variable is missing.
    CredentialsError
        If the token may not comment.
    Unavailable
        If GitHub does not answer.
    """
    names = ("GITHUB_API_URL", "GITHUB_REPOSITORY", "PULL_REQUEST", "GITHUB_TOKEN")
    missing = [name for name in names if not environ.get(name)]
    if missing:
        raise UserError(
            "POST-SETTING",
            ", ".join(missing),
            "GitHub Actions must say where to comment",
            "it is not set",
            "See deploy/workflows/change.yml",
        )
    api, repository, number, token = (environ[name] for name in names)
    if not number.isdecimal():
        raise UserError(
            "POST-NUMBER", "PULL_REQUEST", "it must be the pull request's number", repr(number)
        )
    issues = f"{api.rstrip('/')}/repos/{repository}/issues"
    mark = text.splitlines()[0]
    page = 1
    while True:
        there = _ask("GET", f"{issues}/{number}/comments?per_page={PAGE}&page={page}", token)
        for one in there:
            if str(one.get("body", "")).splitlines()[:MARK_LINES] == [mark]:
                done = _ask("PATCH", f"{issues}/comments/{int(one['id'])}", token, {"body": text})
                return str(done["html_url"])
        if len(there) < PAGE:
            break
        page += 1
    done = _ask("POST", f"{issues}/{number}/comments", token, {"body": text})
    return str(done["html_url"])


def _ask(method: str, url: str, token: str, body: dict[str, str] | None = None) -> Any:
    if not url.startswith(("https://", "http://127.0.0.1:")):
        raise UserError("POST-ADDRESS", "GITHUB_API_URL", "a token is sent over https only")
    request = urllib.request.Request(  # noqa: S310 (the scheme was looked at)
        url,
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={
            "Accept": "application/vnd.github+json",
            "Authorization": f"Bearer {token}",
            "Content-Type": "application/json",
            "User-Agent": "everfit",
        },
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            return json.load(answer)
    except urllib.error.HTTPError as error:
        if error.code in (401, 403, 404):
            raise CredentialsError(
                "POST-REFUSED",
                "GITHUB_TOKEN",
                "the token must be allowed to comment",
                f"GitHub says {error.code}",
                "Give the job pull-requests: write",
            ) from None
        raise Unavailable("POST", "GitHub", "must answer", f"it says {error.code}") from None
    except (urllib.error.URLError, TimeoutError) as error:
        raise Unavailable("POST", "GitHub", "must answer", str(error)) from None


def main(arguments: list[str] | None = None) -> int:
    """Post the file named."""
    (name,) = sys.argv[1:] if arguments is None else arguments
    try:
        where = post(Path(name).read_text(encoding="utf-8"), os.environ)
    except EverfitError as error:
        sys.stderr.write(f"{error.line}\n")
        return error.exit_code
    sys.stdout.write(f"{where}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
