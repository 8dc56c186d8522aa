"""Builds the documentation as a site in ``build/site``; a link that leads nowhere fails.

.venv/bin/python scripts/docs_site.py    after scripts/docs.sh has made .venv-docs

Pages are copied to ``build/docs`` first. What they link to outside ``docs/`` is copied beside them
where it is a page of the repository's root, and named without a link where it is a file or a folder
of code. The order of pages is that of the index of each part.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
STAGED = ROOT / "build" / "docs"
SITE = ROOT / "build" / "site"
ZENSICAL = ROOT / ".venv-docs" / "bin" / "zensical"
PARTS = ("tutorial", "how-to", "reference", "explanation", "adr")
PROJECT = {
    ROOT / name: STAGED / "project" / Path(name).name.lower()
    for name in (
        "README.md",
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
        "CHANGELOG.md",
        "benchmarks/results.md",
    )
}
LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s:#]+)(#[^)\s]*)?\)")


def staged(page: Path) -> Path:
    """Where a page of the repository is in the site's folder."""
    return PROJECT.get(page) or STAGED / page.relative_to(DOCS)


def links(page: Path) -> Iterator[Path]:
    """Files and folders a page links to, in order."""
    for match in LINK.finditer(page.read_text(encoding="utf-8")):
        yield (page.parent / match[3]).resolve()


def rewritten(page: Path) -> str:
    """The page's text with links as they are in the site."""

    def link(match: re.Match[str]) -> str:
        target = (page.parent / match[3]).resolve()
        if (target.is_relative_to(DOCS) and target.is_file()) or target in PROJECT:
            path = os.path.relpath(staged(target), staged(page).parent)
            return f"{match[1]}[{match[2]}]({path}{match[4] or ''})"
        if target.exists():
            name = target.relative_to(ROOT)
            return match[2] if str(name) in match[2] else f"{match[2]} (`{name}`)"
        raise SystemExit(f"DOCS {page.relative_to(ROOT)}: {match[3]}: must be there; it is not.")

    fenced = re.split(r"(^```.*?^```$)", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    return "".join(part if part.startswith("```") else LINK.sub(link, part) for part in fenced)


def navigation() -> list[dict[str, object]]:
    """Parts, and the pages of each in the order of its index."""
    nav: list[dict[str, object]] = [{"Home": "index.md"}]
    for part in PARTS:
        index = DOCS / part / "index.md"
        pages = [page for page in dict.fromkeys(links(index)) if page.parent == index.parent]
        nav.append({title(index): [f"{part}/index.md", *(f"{part}/{page.name}" for page in pages)]})
    nav.append({"Project": [f"project/{page.name}" for page in PROJECT.values()]})
    return nav


def title(page: Path) -> str:
    """A page's first heading."""
    return page.read_text(encoding="utf-8").splitlines()[0].removeprefix("# ")


def main() -> int:
    """Copy, write the settings, build."""
    for folder in (STAGED, SITE):
        shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(DOCS, STAGED)
    for page in [*DOCS.rglob("*.md"), *PROJECT]:
        staged(page).parent.mkdir(exist_ok=True)
        staged(page).write_text(rewritten(page), encoding="utf-8")
    settings = {
        "site_name": "Everfit",
        "docs_dir": "docs",
        "site_dir": "site",
        "use_directory_urls": False,
        "nav": navigation(),
        "theme": {
            "font": False,
            "features": ["navigation.indexes", "navigation.tabs", "content.code.copy"],
            "palette": [
                {"media": "(prefers-color-scheme: light)", "scheme": "default"},
                {"media": "(prefers-color-scheme: dark)", "scheme": "slate"},
            ],
        },
    }
    config = STAGED.parent / "zensical.yml"
    config.write_text(json.dumps(settings, indent=1), encoding="utf-8")  # JSON is YAML
    done = subprocess.run(  # noqa: S603
        [ZENSICAL, "build", "--clean", "--strict", "--config-file", config],
        env=os.environ | {"NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    print(done.stdout, end="")  # noqa: T201
    if done.returncode and "issues found" not in done.stdout:
        print(done.stderr, file=sys.stderr)  # noqa: T201
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
