"""Canonical skops: equal models give equal bytes, in any process.

skops writes memory addresses as object ids, the time into the archive and indented JSON. Here the
same archive is written again with ids only where an object is really shared, numbered in the order
they are first met, arrays named by the order of their content, fixed times, compact JSON, deflated.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections import Counter
from typing import Any

VALUES = ("JsonNode", "TypeNode", "TupleNode", "FunctionNode", "NdArrayNode", "BytesNode")
"""Nodes whose identity means nothing: equal ones may be one object or two."""

LEVEL = 6
"""Deflate level; 9 takes four times as long for one per cent."""


def save_model(model: Any) -> tuple[bytes, tuple[str, ...]]:
    """Write a fitted scikit-learn model as canonical skops bytes.

    Parameters
    ----------
    model : estimator
        Fitted; equal fits give equal bytes.

    Returns
    -------
    data : bytes
        A skops archive that any skops reads.
    types : tuple of str
        The types it holds beyond skops' defaults, sorted.

    Raises
    ------
    skops.io.exceptions.UnsupportedTypeException
        If the model holds what skops cannot write.
    """
    import skops.io

    data = _canonical(skops.io.dumps(model))
    return data, tuple(skops.io.get_untrusted_types(data=data))


def _canonical(data: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        schema = json.loads(archive.read("schema.json"))
        parts = {
            name: _without_padding(archive.read(name))
            for name in archive.namelist()
            if name != "schema.json"
        }
    _order_sets(schema)
    counts: Counter[int] = Counter()
    _count(schema, counts)
    names: dict[bytes, str] = {}
    _rename(schema, counts, {}, parts, names)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as out:
        text = json.dumps(schema, separators=(",", ":"), ensure_ascii=True)
        _write(out, "schema.json", text.encode())
        for content, name in names.items():
            _write(out, name, content)
    return buffer.getvalue()


def _without_padding(content: bytes) -> bytes:
    """Zero the gaps between the fields of a structured array: they hold whatever memory held."""
    import numpy as np

    if not content.startswith(b"\x93NUMPY") or b"'descr': [(" not in content[:128]:
        return content
    array = np.load(io.BytesIO(content), allow_pickle=False)
    clean = np.zeros(array.shape, array.dtype)  # zeros_like leaves the gaps as they are
    for name in array.dtype.names or ():
        clean[name] = array[name]
    buffer = io.BytesIO()
    np.save(buffer, clean, allow_pickle=False)
    return buffer.getvalue()


def _children(node: Any) -> list[Any]:
    if isinstance(node, dict):
        return list(node.values())
    return node if isinstance(node, list) else []


def _order_sets(node: Any) -> None:
    """Sort what a set holds: its order follows the process's hash seed."""
    for child in _children(node):
        _order_sets(child)
    if isinstance(node, dict) and node.get("__loader__") == "SetNode":
        node["content"].sort(key=_without_ids)


def _without_ids(node: Any) -> str:
    def strip(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: strip(v) for k, v in value.items() if k != "__id__"}
        return [strip(item) for item in value] if isinstance(value, list) else value

    return json.dumps(strip(node), sort_keys=True)


def _is_node(node: Any) -> bool:
    return isinstance(node, dict) and "__loader__" in node


def _count(node: Any, counts: Counter[int]) -> None:
    if _is_node(node) and "__id__" in node:
        if node["__loader__"] in VALUES:
            del node["__id__"]
        else:
            counts[node["__id__"]] += 1
    for child in _children(node):
        _count(child, counts)


def _rename(
    node: Any,
    counts: Counter[int],
    ids: dict[int, int],
    parts: dict[str, bytes],
    names: dict[bytes, str],
) -> None:
    if _is_node(node):
        old = node.get("__id__")
        if old is not None:
            if counts[old] > 1:
                node["__id__"] = ids.setdefault(old, len(ids) + 1)
            else:
                del node["__id__"]
        file = node.get("file")
        if isinstance(file, str) and file in parts:
            suffix = file.rpartition(".")[2]
            node["file"] = names.setdefault(parts[file], f"{len(names)}.{suffix}")
    for child in _children(node):
        _rename(child, counts, ids, parts, names)


def _write(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.create_system = 3
    entry.external_attr = 0o644 << 16
    archive.writestr(entry, content, compresslevel=LEVEL)
