"""The family a spec names, ready to build estimators: a built-in one, or any by import path."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from typing import Any

from everfit.contracts.errors import UserError, shortlist
from everfit.contracts.spec.families import FAMILIES
from everfit.contracts.spec.family import Encoding, Family
from everfit.contracts.spec.metrics import METRICS, Task
from everfit.contracts.spec.train import FamilySpec
from everfit.ml.families.estimator_path import build_estimator, import_estimator

BOOSTERS_ARE_IN = "everfit.ml.model"

Space = dict[str, tuple[Any, ...]]


@dataclass(frozen=True)
class ReadyFamily:
    """One family, with what the spec says of it.

    Attributes
    ----------
    path : str
        Import path of the estimator.
    estimator : type
        Its class.
    task : str
    encoding : str
        How ``TableEncoder`` encodes for it.
    always : dict
        Parameters of every estimator, such as its seed.
    defaults : dict
        Parameters of the first trial.
    space : dict
        Parameter → values a search tries.
    fixed : frozenset of str
        Parameters that the spec fixes.
    first : tuple of mappings
        Settings tried before any is drawn, laid over the defaults; none where the spec searches
        a space of its own.
    stopping : dict
        Parameters of a fit that stops by itself; empty where it cannot, or the spec says how many
        rounds.
    built_in : Family or None
        None: named by its import path.
    """

    path: str
    estimator: Any
    task: Task
    encoding: Encoding
    always: dict[str, Any]
    defaults: dict[str, Any]
    space: Space
    fixed: frozenset[str] = field(default=frozenset())
    first: tuple[Mapping[str, Any], ...] = ({},)
    stopping: Mapping[str, Any] = field(default_factory=dict)
    built_in: Family | None = None

    def build(self, params: Mapping[str, Any]) -> Any:
        """An unfitted estimator.

        Raises
        ------
        UserError
            If it does not know a parameter.
        """
        return build_estimator(self.path, self.estimator, {**self.always, **params})

    @property
    def categories_as(self) -> str | None:
        """The parameter that names the columns that are codes of categories, where there is one."""
        return None if self.built_in is None else self.built_in.categories_as

    def for_all_rows(self, rounds: int) -> dict[str, Any]:
        """Parameters of the last fit, given its rounds."""
        name = None if self.built_in is None else self.built_in.rounds
        return {} if name is None else {name: rounds}

    def bounds(self, rows: int, columns: int, params: Mapping[str, Any]) -> dict[str, Any]:
        """Parameters that bound memory; they win over those of a trial.

        Parameters
        ----------
        rows, columns : int
            Of the encoded table.
        params : mapping
            Of the trial.
        """
        if self.built_in is None:
            return {}
        return dict(self.built_in.bounds(self.task, rows, columns, params, self.fixed))

    def in_search(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Substitutes for some parameters while settings are compared; never for searched ones."""
        found = {} if self.built_in is None else self.built_in.in_search(params)
        return {name: value for name, value in found.items() if name not in self.space}


def family_of(
    spec: FamilySpec, task: Task, metric: str, seed: int, threads: int, weighted: bool = False
) -> ReadyFamily:
    """The family a spec names.

    Parameters
    ----------
    spec : FamilySpec
        Its ``params`` are fixed: they take the place of defaults and are not searched.
    task, metric : str
    seed : int
    threads : int
        Given to estimators that can use them for fitting without changing a bit.
    weighted : bool
        Whether it is to be fitted on weighted rows.

    Returns
    -------
    ReadyFamily

    Raises
    ------
    UserError
        If its estimator cannot be imported, does not fit the task, lacks a parameter, or takes no
        weights where there are some.

    Examples
    --------
    >>> ready = family_of(FamilySpec(name="linear"), "regression", "mae", seed=0, threads=1)
    >>> ready.build({"alpha": 2.0})
    Ridge(alpha=2.0, copy_X=False, random_state=0)
    """
    if spec.estimator is not None:
        ready = _by_path(spec, spec.estimator, task, seed)
        if weighted:
            _check_weights(spec.name, ready)
        return ready
    family = _installed(spec)
    path = family.regressor if task == "regression" else family.classifier
    if path.startswith("boosters."):
        path = f"{BOOSTERS_ARE_IN}.{path}"
    estimator = import_estimator(path, task)
    # Every name is checked now, the searched ones too.
    build_estimator(path, estimator, {**spec.params, **dict.fromkeys(spec.search or {})})
    space = spec.search or family.space(task, METRICS[metric])
    said = {*spec.params, *(spec.search or {})}
    stopping = {}
    if family.stops(said) and family.rounds is not None:
        stopping = {family.rounds: family.most_rounds, **family.stopping(task, METRICS[metric])}
        stopping = {name: value for name, value in stopping.items() if name not in said}
    ladder = ({}, *family.ladder(task, METRICS[metric]))
    return ReadyFamily(
        path=path,
        estimator=estimator,
        task=task,
        encoding=family.encoding,
        always={**_seeded(estimator, seed), **family.fitting(task, threads)},
        defaults={**family.defaults(task), **spec.params},
        space={name: values for name, values in space.items() if name not in spec.params},
        fixed=frozenset(spec.params),
        first=()
        if spec.search
        else tuple({k: v for k, v in rung.items() if k not in spec.params} for rung in ladder),
        stopping=stopping,
        built_in=family,
    )


def _installed(spec: FamilySpec) -> Family:
    """The built-in family itself, or the first installed of those in whose place it stands."""
    family = FAMILIES[spec.name]
    if family.stands_for:
        if spec.params or spec.search:
            raise UserError(
                "TRAIN-ESTIMATOR",
                spec.name,
                "params and search are those of one library",
                f"{spec.name} is the first installed of {shortlist(family.stands_for)}",
                f"Name {' or '.join(family.stands_for)} instead",
            )
        found = [FAMILIES[name] for name in family.stands_for]
        return next((f for f in found if f.needs is None or not _lacking(f.needs)), found[-1])
    if family.needs is not None and (reason := _lacking(family.needs)):
        raise UserError(
            "TRAIN-ESTIMATOR",
            spec.name,
            f"the package {family.needs} must be installed",
            reason,
            f"Install it: pip install 'everfit[{family.needs}]', or name another family",
        )
    return family


@cache
def _lacking(package: str) -> str:
    """Why a package cannot be used; empty where it can: one may be there and lack a library."""
    try:
        import_module(package)
    except Exception as error:
        return (str(error).splitlines() or [type(error).__name__])[0]
    return ""


def _by_path(spec: FamilySpec, path: str, task: Task, seed: int) -> ReadyFamily:
    estimator = import_estimator(path, task)
    searched = spec.search or {}
    build_estimator(path, estimator, {**spec.params, **{k: v[0] for k, v in searched.items()}})
    return ReadyFamily(
        path=path,
        estimator=estimator,
        task=task,
        encoding="scaled",
        always=_seeded(estimator, seed),
        defaults=dict(spec.params),
        space={name: values for name, values in searched.items() if name not in spec.params},
        fixed=frozenset(spec.params),
        first=() if searched else ({},),
    )


def _check_weights(name: str, ready: ReadyFamily) -> None:
    from sklearn.utils.validation import has_fit_parameter

    if not has_fit_parameter(ready.estimator, "sample_weight"):
        raise UserError(
            "TRAIN-ESTIMATOR",
            name,
            "where rows are weighted, an estimator's fit must take sample_weight",
            f"that of {ready.path} does not",
            "Name another estimator, or leave out weight",
        )


def _seeded(estimator: Any, seed: int) -> dict[str, Any]:
    """Its seed, and one job where it would take more."""
    try:
        known = estimator().get_params()
    except TypeError:
        return {}
    always: dict[str, Any] = {"random_state": seed} if "random_state" in known else {}
    if known.get("n_jobs") not in (None, 1):
        always["n_jobs"] = 1
    return always
