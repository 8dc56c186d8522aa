"""Models from the store: digest first, then our own list of types, then the model."""

from __future__ import annotations

import importlib
import io
import json
import sys
import zipfile
from collections.abc import Iterable, Sequence, Set
from pathlib import Path
from typing import Any

from everfit.contracts.errors import IntegrityError, UserError, shortlist
from everfit.contracts.messages.artifacts import Artifact
from everfit.ml.model.trusted import CHECK_ARRAY, KNOWN_FUNCTION, PARTIAL, TRUSTED
from everfit.storage.store import Store

MOST_BYTES = 2 << 30
"""A model file that unpacks to more than this is not opened."""

MOST_ENTRIES = 500_000
"""Arrays in one model file."""

NEVER_WIDENED = frozenset({"joblib", "numpy", "pandas", "scipy", "skops", "sklearn", "cloudpickle"})
"""Naming an estimator of these packages trusts that class alone, not the whole package."""


def load_model(
    store: Store,
    artifact: Artifact,
    scratch: Path,  # noqa: ARG001 (part of the interface; skops reads from memory)
    extra_trusted: Sequence[str] = (),
) -> Any:
    """Load a model, trusting its digest and our own list of types, never the file's.

    Parameters
    ----------
    store : Store
        Where the bytes are.
    artifact : Artifact
        From a record; its digest is verified before anything of the file is parsed.
    scratch : Path
        A private folder.
    extra_trusted : sequence of str
        Import paths of the spec's own estimators. One of a package outside the standard set
        trusts the types of that package, since naming it already runs its code.

    Returns
    -------
    sklearn.pipeline.Pipeline
        Raw feature frame in, prediction out.

    Raises
    ------
    IntegrityError
        If the bytes are missing or altered, are no model file of ours, unpack to an absurd size,
        or hold a type that is on no list.
    """
    return parse_model(store.get(artifact.digest), artifact.name, extra_trusted)


def parse_model(data: bytes, name: str, extra_trusted: Sequence[str] = ()) -> Any:
    """Parse a model file whose digest is already verified.

    Parameters
    ----------
    data : bytes
        The skops archive.
    name : str
        Of the file, for messages.
    extra_trusted : sequence of str
        Import paths of the spec's own estimators, which may be loaded too.

    Returns
    -------
    sklearn.pipeline.Pipeline

    Raises
    ------
    IntegrityError
        If the archive is damaged, or holds a type that is not trusted.
    """
    _check_archive(data, name)
    if strange := misused(_schema(data, name)):
        raise _refusal(name, strange)
    import skops.io
    from skops.io.exceptions import UntrustedTypesFoundException

    try:
        # The names are read without importing or building anything of them.
        wanted = skops.io.get_untrusted_types(data=data)
        refused = untrusted(wanted, extra_trusted)
        if refused:
            raise _refusal(name, refused)
        model = skops.io.loads(data, trusted=wanted)
    except IntegrityError:
        raise
    except UntrustedTypesFoundException as error:
        raise _refusal(name, [str(error)]) from error
    except MemoryError as error:
        raise _damaged(name, "it asks for more memory than there is") from error
    except Exception as error:
        raise _damaged(name, f"{type(error).__name__} while reading it") from error
    from sklearn.pipeline import Pipeline

    if not isinstance(model, Pipeline):
        raise _damaged(name, f"it holds a {type(model).__name__}, not a Pipeline")
    return model


def untrusted(types: Iterable[str], extra_trusted: Sequence[str] = ()) -> list[str]:
    """Those of ``types`` that are neither on our list nor of the spec's own estimators.

    Parameters
    ----------
    types : iterable of str
        Full names, such as ``sklearn.tree._tree.Tree``.
    extra_trusted : sequence of str
        Import paths of the spec's estimators.
    """
    allowed = set(TRUSTED)
    packages: set[str] = set()
    for path in extra_trusted:
        defined = _defined_at(path)
        if defined is None:
            continue
        allowed.add(defined)
        package = defined.partition(".")[0]
        if package not in NEVER_WIDENED and package not in sys.stdlib_module_names:
            packages.add(package)
    return sorted(t for t in types if t not in allowed and not _is_of(t, packages))


def misused(schema: Any) -> list[str]:
    """Functions in a file that stand where they could be called, or bound to something else.

    skops looks at names alone. A name of our list that is no plain type may stand only where a
    fitted model of scikit-learn has it: histogram gradient boosting on categories holds
    ``check_array``, and ``functools.partial`` of that and no other.
    """
    found = set()
    waiting = [schema]
    while waiting:
        node = waiting.pop()
        if isinstance(node, list):
            waiting += node
        elif isinstance(node, dict):
            waiting += node.values()
            kind, loader = _type_of(node), node.get("__loader__")
            if kind == CHECK_ARRAY and loader != "FunctionNode":
                found.add(f"{kind} as {loader}")
            elif (kind == PARTIAL or loader == "PartialNode") and not _is_known_partial(node):
                content = node.get("content")
                func = content.get("func") if isinstance(content, dict) else None
                found.add(f"{kind} of {_type_of(func)}")
    return sorted(found)


def _is_known_partial(node: dict[str, Any]) -> bool:
    content = node.get("content")
    return (
        node.get("__loader__") == "PartialNode"
        and _type_of(node) == PARTIAL
        and isinstance(content, dict)
        and content.get("func") == KNOWN_FUNCTION
    )


def _type_of(node: Any) -> str:
    if not isinstance(node, dict):
        return "nothing"
    return f"{node.get('__module__')}.{node.get('__class__')}"


def _is_of(name: str, packages: Set[str]) -> bool:
    """Whether a name is that of a class or function which one of the packages itself defines.

    What it merely imports is not: its modules may well hold ``os`` or ``open``.
    """
    module, _, attribute = name.rpartition(".")
    package = module.partition(".")[0]
    if package not in packages:
        return False
    try:
        found = getattr(importlib.import_module(module), attribute)
    except Exception:  # the package is the spec's own and may fail in any way
        return False
    defined = getattr(found, "__module__", None)
    return isinstance(defined, str) and defined.partition(".")[0] == package


def _defined_at(path: str) -> str | None:
    """Where the class behind an import path is defined: ``sklearn.svm.SVR`` is an alias.

    None where it cannot be imported or is no estimator: such a path trusts nothing.
    """
    module, _, name = path.rpartition(".")
    try:
        kind = getattr(importlib.import_module(module), name)
    except Exception:  # the module is the spec's own and may fail in any way
        return None
    if not (isinstance(kind, type) and hasattr(kind, "fit")):
        return None
    return f"{kind.__module__}.{kind.__qualname__}"


def _check_archive(data: bytes, name: str) -> None:
    """Look at the directory of the archive alone: nothing is unpacked yet."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError, EOFError, OSError) as error:
        raise _damaged(name, "it is no zip archive") from error
    if len(entries) > MOST_ENTRIES:
        raise _damaged(name, f"it has {len(entries):,} entries")
    if (size := sum(entry.file_size for entry in entries)) > MOST_BYTES:
        raise _damaged(name, f"it unpacks to {size >> 20:,} MiB")
    names = [entry.filename for entry in entries]
    if "schema.json" not in names or len(set(names)) != len(names):
        raise _damaged(name, "it lacks schema.json or names an entry twice")


def _schema(data: bytes, name: str) -> Any:
    """The description of the objects: text, of which nothing is imported or built."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return json.loads(archive.read("schema.json"))
    except MemoryError as error:
        raise _damaged(name, "it asks for more memory than there is") from error
    except Exception as error:
        raise _damaged(name, f"{type(error).__name__} while reading it") from error


def _refusal(name: str, types: Iterable[str]) -> IntegrityError:
    return IntegrityError(
        "MODEL-TYPES",
        name,
        "a model file may hold only types on Everfit's own list",
        f"this one wants {shortlist(types)}, so nothing of it was loaded",
        "Train the model again, or name its estimator by import path in the spec",
    )


def _damaged(name: str, found: str) -> UserError:
    return IntegrityError(
        "MODEL-FILE",
        name,
        "a model file must be a skops archive that Everfit wrote",
        found,
        "Train the model again; nothing of this file was used",
    )
