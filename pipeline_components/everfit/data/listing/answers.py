"""One request, one answer."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from everfit.contracts.aws_identity import as_said
from everfit.contracts.base import digest_of
from everfit.contracts.errors import EverfitError, Unavailable, from_system
from everfit.contracts.settings import Settings
from everfit.contracts.spec.source import S3SourceSpec, SourceSpec, read_source
from everfit.data.sources import list_spans

LOOKING = 8
"""Sources looked at in one moment: a folder or server that hangs holds up none of the others."""

WAITING = 200
"""Queues waited for in one moment; threads are only made for as many as there are."""

NOTES = 5
"""Sentences in an answer."""

_AROUND = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
"""What the lister was started with."""

_given: set[str] = set()
_lock = threading.Lock()


def answer(request: Any, settings: Settings) -> dict[str, Any]:
    """Do what a request asks; never raises, and never tells more of a defect than its kind.

    Parameters
    ----------
    request : object
        What the line of JSON held.
    """
    number = request.get("id") if isinstance(request, Mapping) else None
    try:
        return {"id": number, **_done(request, settings)}
    except EverfitError as error:
        _forget_clients()
        retry = isinstance(error, Unavailable)
        return {"id": number, "error": error.line, "code": error.code, "retry": retry}
    except OSError as error:
        known = from_system(error)
        return {"id": number, "error": known.line, "code": known.code, "retry": True}
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(map(str, ("source", *first["loc"][1:])))  # the first names the kind
        text = f"REQUEST {where}: must be valid; {first['msg']}."
        return {"id": number, "error": text, "code": "REQUEST", "retry": False}
    except Exception as error:  # a defect must not end the others' watch
        text = f"DEFECT lister: a source must be looked at; {type(error).__name__}."
        return {"id": number, "error": text, "code": "DEFECT", "retry": True}


def _done(request: Any, settings: Settings) -> dict[str, Any]:
    if not isinstance(request, Mapping) or not isinstance(request.get("source"), Mapping):
        return {
            "error": "REQUEST: a request is an object with a source; this line is none.",
            "code": "REQUEST",
            "retry": False,
        }
    source = read_source(**request["source"])
    _be(request.get("aws"))
    what = request.get("do", "look")
    if what == "look":
        looked = _look(source, request.get("connection"), settings)
        tables = [
            _look(read_source(**one["source"]), one.get("connection"), settings)
            for one in request.get("tables", ())
        ]
        return _with_tables(looked, tables) if tables else looked
    if isinstance(source, S3SourceSpec) and source.queue and what in ("receive", "delete"):
        from everfit.data.listing import queue

        if what == "receive":
            came = queue.receive(source, settings)
            return {"receipts": came.receipts, "others": came.others, "problem": came.problem}
        return {"deleted": queue.delete(source, [str(r) for r in request.get("receipts", ())])}
    return {"error": "REQUEST: there is no such thing to do.", "code": "REQUEST", "retry": False}


def _look(source: SourceSpec, connection: Any, settings: Settings) -> dict[str, Any]:
    if source.connection_name is not None:
        _connect(f"EVERFIT_CONN_{source.connection_name.upper()}", connection)
    began = time.monotonic()
    listing = list_spans(source, settings)
    notes = [*listing.notes, *([listing.empty] if listing.empty else [])]
    return {
        "state": digest_of([[ref.name, ref.fingerprint] for ref in listing.spans]),
        "spans": len(listing.spans),
        "notes": [note[:500] for note in notes[:NOTES]],
        "seconds": round(time.monotonic() - began, 3),
    }


def _with_tables(looked: dict[str, Any], tables: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """One answer of a source and the tables beside it: it changes where one of them does."""
    return {
        **looked,
        "state": digest_of([looked["state"], *(one["state"] for one in tables)]),
        "notes": [note for one in (looked, *tables) for note in one["notes"]][:NOTES],
        "seconds": round(sum(one["seconds"] for one in (looked, *tables)), 3),
    }


def _connect(variable: str, url: Any) -> None:
    """Have a connection be what the request says; without one, what the environment says."""
    with _lock:
        if isinstance(url, str) and url:
            _given.add(variable)
            os.environ[variable] = url
        elif variable in _given:
            _given.discard(variable)
            os.environ.pop(variable, None)


def _be(given: Any) -> None:
    """Be to AWS who the request says; without that, who the lister was started as."""
    variables = given.items() if isinstance(given, Mapping) else ()
    said = {str(k): str(v) for k, v in variables if str(k).startswith("AWS_")}
    with _lock:
        if not said and "AWS" not in _given:
            return
        _given.add("AWS")
        wanted = as_said(_AROUND, said)
        for variable in [name for name in os.environ if name.startswith("AWS_")]:
            if variable not in wanted:
                os.environ.pop(variable)
        os.environ.update(wanted)


def _forget_clients() -> None:
    """Credentials in a file may have been fixed since."""
    from everfit.data.sources.aws import forget_clients

    forget_clients()
