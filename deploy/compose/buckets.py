"""The buckets that `everfit backup` does not hold, object by object, into a folder and back.

buckets.py keep FOLDER     what is not there yet, or is of another size or newer
buckets.py put FOLDER      into buckets that lack it; what is there is left alone
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.exceptions import BotoCoreError, ClientError

KEPT = ("EVERFIT_DATA", "EVERFIT_ARTIFACTS")
"""The store is in `everfit backup`; logs of tasks are not kept."""


def addresses() -> list[tuple[str, str]]:
    """Bucket and prefix of each."""
    found = [urlsplit(os.environ[name]) for name in KEPT]
    return [(at.netloc, at.path.strip("/")) for at in found if at.scheme == "s3"]


def objects(s3: Any, bucket: str, prefix: str) -> dict[str, Any]:
    """Key → what the listing says of it."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    return {one["Key"]: one for page in pages for one in page.get("Contents", ())}


def path_of(folder: Path, bucket: str, key: str) -> Path:
    """The file of an object; the end where a key would leave the folder."""
    path = (folder / bucket / key).resolve()
    if not path.is_relative_to(folder.resolve()) or key.endswith("/"):
        sys.exit(f"BUCKET {bucket}: has a key that is no file's name, {key!r}. Copy it by hand.")
    return path


def keep(s3: Any, folder: Path, bucket: str, prefix: str) -> int:
    """Copy what is new or has changed into the folder."""
    copied = 0
    for key, one in objects(s3, bucket, prefix).items():
        path = path_of(folder, bucket, key)
        changed = one["LastModified"].timestamp()
        if path.exists() and path.stat().st_size == one["Size"] and path.stat().st_mtime >= changed:
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = path.with_name(f".{path.name}.part")
        s3.download_file(bucket, key, str(aside))
        aside.rename(path)
        copied += 1
    return copied


def put(s3: Any, folder: Path, bucket: str, prefix: str) -> int:
    """Copy what is missing from the folder into the bucket."""
    there, copied = objects(s3, bucket, prefix), 0
    for path in sorted((folder / bucket).rglob("*")):
        key = path.relative_to(folder / bucket).as_posix()
        if path.is_file() and not path.name.endswith(".part") and key not in there:
            s3.upload_file(str(path), bucket, key)
            copied += 1
    return copied


def main() -> None:
    """Copy one way or the other; says how many objects."""
    way, folder = {"keep": keep, "put": put}[sys.argv[1]], Path(sys.argv[2])
    try:
        s3 = boto3.client("s3")
        for bucket, prefix in addresses():
            copied = way(s3, folder, bucket, prefix)
            sys.stdout.write(f"  {bucket}: {copied} objects copied\n")
    except (BotoCoreError, ClientError, OSError) as error:
        sys.exit(f"BUCKET: must be reachable, and the folder writable; {error}. Say it again.")


if __name__ == "__main__":
    main()
