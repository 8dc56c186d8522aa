"""What ``{data}`` in a source's uri stands for: a folder of this machine, or a prefix in S3."""

from __future__ import annotations

import re
from pathlib import Path

from everfit.contracts.errors import SourceError
from everfit.contracts.settings import Settings
from everfit.contracts.spec.source import FileSourceSpec, SourceSpec, read_source

DATA = "{data}"
MAGIC = re.compile(r"[*?\[]")
"""What begins a wildcard, in a path and in a key alike."""


def with_data(source: SourceSpec, settings: Settings) -> SourceSpec:
    """The source with ``{data}`` put in its place where that is in S3; else the same source.

    What comes after it means what it means in a path, so that a spec lists the same spans wherever
    the data folder is.

    Raises
    ------
    SourceError
        If the uri or ``EVERFIT_DATA`` makes no address in S3.
    """
    if isinstance(settings.data, Path) or not isinstance(source, FileSourceSpec):
        return source
    uri = source.uri
    if DATA not in uri:
        return source
    refuse_placeholders(uri)
    head, _, rest = uri.partition(DATA)
    if head or (rest and not rest.startswith("/")):
        raise SourceError(
            "SOURCE-PATH",
            "source.uri",
            "{data} must be all of the first folder, for EVERFIT_DATA is in S3",
            f"it is {uri!r}",
            "Write it like {data}/folder/*.csv",
        )
    parts = [part for part in rest.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise SourceError(
            "SOURCE-PATH",
            "source.uri",
            "a key in S3 has no .., and EVERFIT_DATA is in S3",
            f"it is {uri!r}",
            "Write the folder itself",
        )
    place = "/".join((s3_prefix(settings.data), *parts))
    # A prefix that ends with a slash lists the folder alone, and nothing that begins like it.
    folder = rest.endswith("/") and not any(map(MAGIC.search, parts))
    fields = source.model_dump(exclude={"kind"})
    return read_source(**{**fields, "uri": place + "/" if folder else place})


def s3_prefix(data: str) -> str:
    """``EVERFIT_DATA`` as ``s3://bucket`` or ``s3://bucket/prefix``, without a slash at its end.

    Raises
    ------
    SourceError
        If it is no such address.
    """
    if re.fullmatch(r"s3://[A-Za-z0-9][A-Za-z0-9._-]+(/[^/*?\[\]{}]+)*/?", data) is None:
        raise SourceError(
            "SOURCE-DATA",
            "EVERFIT_DATA",
            "the data folder is a path or s3://bucket/prefix, without wildcards or credentials",
            "it is neither",
            "Correct EVERFIT_DATA",
        )
    return data.rstrip("/")


def refuse_placeholders(text: str) -> None:
    """Refuse every other ``{name}`` in a path.

    Raises
    ------
    SourceError
        With the first of them.
    """
    unknown = re.search(r"\{(?!data\})[^}/]*\}", text)
    if unknown:
        raise SourceError(
            "SOURCE-PLACEHOLDER",
            "source.uri",
            "the only placeholder of a path is {data}",
            f"it holds {unknown.group(0)}",
            "Write a wildcard such as * instead",
        )
