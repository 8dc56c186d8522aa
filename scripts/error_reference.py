"""Writes the table of ``docs/reference/errors.md`` from the calls that raise.

.venv/bin/python scripts/error_reference.py          rewrite the table
.venv/bin/python scripts/error_reference.py --check  exit 1 where it is out of date
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "reference" / "errors.md"
FOLDERS = ("pipeline_components", "plugins", "dags")
KINDS = {
    "UserError": "2",
    "RequestError": "2",
    "SourceError": "2",
    "CredentialsError": "2",
    "IntegrityError": "2",
    "NothingToDo": "3",
    "Unavailable": "75",
    "Superseded": "75",
    "Stop": "3",
    "SpanRefused": "span left out",
}
FIELDS = ("code", "where", "must", "found", "todo")
BEGIN, END = "<!-- codes -->", "<!-- end of codes -->"


def text_of(node: ast.expr | None) -> str:
    """A string as written; what is only known at run time becomes ``…``."""
    match node:
        case ast.Constant(value=str(value)):
            return value
        case ast.JoinedStr():
            parts = (text_of(p) if isinstance(p, ast.Constant) else "…" for p in node.values)
            return "".join(parts)
        case ast.IfExp():
            return text_of(node.body)
    return "…" if node is not None else ""


def raised(path: Path) -> Iterator[tuple[str, tuple[str, str, str]]]:
    """Code → exit code, what must hold, what to do, for every error a file constructs."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            continue
        if node.func.id not in KINDS:
            continue
        given = dict(zip(FIELDS, node.args, strict=False))
        given |= {word.arg: word.value for word in node.keywords if word.arg in FIELDS}
        code = given.get("code")
        if isinstance(code, ast.Constant) and isinstance(code.value, str):
            yield (
                code.value,
                (KINDS[node.func.id], text_of(given.get("must")), text_of(given.get("todo"))),
            )


def table() -> str:
    """A row per code, in order; of several places that raise it, the one that says most."""
    found: dict[str, tuple[str, str, str]] = {}
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            for code, row in raised(path):
                old = found.get(code)
                if old is None or sum(t.count("…") for t in row) < sum(t.count("…") for t in old):
                    found[code] = row
    lines = ["| code | exit | what must hold | what to do |", "| --- | --- | --- | --- |"]
    for code in sorted(found):
        exits, must, todo = (re.sub(r"\s+", " ", part).replace("|", "\\|") for part in found[code])
        todo = "" if todo == "…" else todo
        lines.append(f"| `{code}` | {exits} | {'' if must == '…' else must} | {todo} |")
    return "\n".join(lines)


def main() -> int:
    """Rewrite or check."""
    old = PAGE.read_text(encoding="utf-8")
    head, _, rest = old.partition(BEGIN)
    tail = rest.partition(END)[2]
    new = f"{head}{BEGIN}\n{table()}\n{END}{tail}"
    if "--check" in sys.argv:
        return int(old != new)
    PAGE.write_text(new, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
