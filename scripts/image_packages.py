"""Writes what a Debian image holds of Debian's packages, as CycloneDX 1.6 in JSON.

python3 scripts/image_packages.py IMAGE FILE

The image's own dpkg is asked, in a container without network. The same image gives the same bytes.
Needs the standard library and the Docker client alone.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

ASKED = "${Package}\t${Version}\t${Architecture}\t${source:Package}\n"


def packages(image: str) -> list[list[str]]:
    """Name, version, architecture and source of each package, sorted."""
    told = subprocess.run(  # noqa: S603 (no shell; the image is an argument)
        [  # noqa: S607
            "docker",
            "run",
            "--rm",
            "--network=none",
            "--read-only",
            "--cap-drop=ALL",
            "--entrypoint=dpkg-query",
            image,
            "-W",
            f"-f={ASKED}",
        ],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return sorted(line.split("\t") for line in told.splitlines())


def bill(image: str, digest: str, found: list[list[str]]) -> dict[str, object]:
    """The CycloneDX document."""
    components = []
    for name, version, architecture, source in found:
        purl = (
            f"pkg:deb/debian/{quote(name)}@{quote(version, safe='.')}"
            f"?arch={architecture}&upstream={quote(source)}"
        )
        components.append(
            {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}
        )
    name = image.rpartition("/")[2].partition(":")[0]
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {"type": "container", "bom-ref": name, "name": name, "version": digest}
        },
        "components": components,
    }


def main(image: str, file: str) -> None:
    """Write the file."""
    digest = subprocess.run(  # noqa: S603
        ["docker", "image", "inspect", "--format", "{{.Id}}", "--", image],  # noqa: S607
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    text = json.dumps(bill(image, digest, packages(digest)), indent=1, sort_keys=True) + "\n"
    Path(file).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
