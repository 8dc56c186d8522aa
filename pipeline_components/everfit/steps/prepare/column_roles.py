"""Which columns the prepared tables keep, and what each is for.

=========  ========================================================================================
feature    everything that is neither the target, dropped nor an entity. The time column is one
           too, unless dropped: hour and weekday are taken from it. An entity column that a derived
           column reads is listed as a feature, because the model must be given it; it is then read
           by that expression alone and never encoded itself
key        a column that names a row all by itself and is not its time: to a model it would say
           nothing of a new row, so it is kept apart as an entity is. The columns of a key of
           several are features
target     the value to predict
time       the time column, where it is dropped from the features, or is a number that no derived
           column reads: rows are still ordered by it
entity     who a row is about: splits and resampling need it, a model never sees it
slice      a column only a slice reads
(none)     the weight of a row: what it says is kept in a column of its own, ``__weight``
=========  ========================================================================================
"""

from __future__ import annotations

from everfit.contracts.errors import SourceError, shortlist
from everfit.contracts.messages.requests import PrepareRequest
from everfit.contracts.messages.training import ColumnRole
from everfit.contracts.spec.expression import columns_of
from everfit.contracts.spec.row_weight import weight_column
from everfit.data.tables.frames import RESERVED


def column_roles(request: PrepareRequest, target_type: str) -> tuple[ColumnRole, ...]:
    """The columns of the prepared tables, features in the source's order, then the others.

    Parameters
    ----------
    request : PrepareRequest
    target_type : str
        Type of the target as prepared.

    Raises
    ------
    SourceError
        If a column the spec names is not in the data, or no feature is left.
    """
    _check_named(request)
    derived_reads = {
        column for text in request.features.derive.values() for column in columns_of(text)
    }
    apart = {*request.entity, *(set(request.key) - {request.time} if len(request.key) == 1 else ())}
    weight = weight_column(request.weight, request.features.keep)
    hidden = {*request.features.drop, request.target, weight}
    features, others = [], []
    for name, kind in request.columns.items():
        if name == request.target:
            continue
        entity = name in request.entity
        # A running number says when a row is, and no model can use a number later than all it saw.
        clock = name == request.time and kind in ("integer", "float") and name not in derived_reads
        if not clock and name not in hidden and (name not in apart or name in derived_reads):
            features.append(ColumnRole(name=name, type=kind, role="feature"))
        elif entity:
            others.append(ColumnRole(name=name, type=kind, role="entity"))
        elif name == request.time:
            others.append(ColumnRole(name=name, type=kind, role="time"))
        elif name in request.key:
            others.append(ColumnRole(name=name, type=kind, role="key"))
        elif name in request.kept_columns:
            others.append(ColumnRole(name=name, type=kind, role="kept"))
    if not any(column.name not in apart for column in features):
        raise SourceError(
            "PREPARE-FEATURES",
            "features.drop",
            "at least one column must be left as a feature",
            f"of {len(request.columns)} columns none is",
            "Drop fewer columns",
        )
    target = ColumnRole(name=request.target, type=target_type, role="target")
    return (*features, target, *others)


def _check_named(request: PrepareRequest) -> None:
    known = set(request.columns)
    reads = columns_of(request.target_expression) if request.target_expression else frozenset()
    named = {
        "target": reads or {request.target},
        "time": {request.time} - {None},
        "entity": set(request.entity),
        "key": set(request.key),
        "weight": columns_of(request.weight) if request.weight else frozenset(),
        "features.derive": {
            column for text in request.features.derive.values() for column in columns_of(text)
        }
        - set(request.features.derive),
    }
    for field, names in named.items():
        if absent := sorted(str(name) for name in names if name not in known):
            raise SourceError(
                "PREPARE-COLUMN",
                field,
                "every column a spec names must be in the data",
                f"{shortlist(absent)} is not; there are {shortlist(sorted(known))}",
                "Correct the name in the spec, or ask why the source no longer has it",
            )
    for name in RESERVED:
        if name in known:
            raise SourceError(
                "PREPARE-COLUMN",
                name,
                "no column of a source may have the name of a row's digest",
                None,
                "Rename it, or leave it out with source.columns",
            )
