"""From an order to a complete request: what the tables are made of, and nothing else."""

from __future__ import annotations

from collections import Counter

from everfit.contracts.messages.left_out import RULE
from everfit.contracts.messages.planning import ChampionRef
from everfit.contracts.messages.requests import PrepareRequest, ValidateResult
from everfit.contracts.spec.expression import columns_of
from everfit.contracts.spec.pipeline import PipelineSpec


def prepare_request(
    spec: PipelineSpec, validated: ValidateResult, champion: ChampionRef | None
) -> PrepareRequest:
    """Combine the spec with the spans that were found good.

    Parameters
    ----------
    spec : PipelineSpec
    validated : ValidateResult
    champion : ChampionRef or None
        What the run is compared with.

    Returns
    -------
    PrepareRequest
        ``kept_columns`` are the raw columns the slices, the fairness checks and the champion read,
        so that a slice or a group by a column no candidate sees, and a champion of other features,
        can still be scored.
    """
    read = {column for item in spec.slices for column in columns_of(item.where)}
    read |= {item.by for item in spec.gate.fairness}
    read |= set(champion.features) if champion else set()
    return PrepareRequest(
        run_key=validated.run_key,
        task=spec.task,
        target=spec.target.name,
        target_expression=spec.target.expression,
        positive=spec.target.positive,
        time=spec.time,
        entity=spec.entity,
        key=spec.key,
        features=spec.features,
        kept_columns=tuple(sorted(read & set(validated.columns))),
        columns=validated.columns,
        window=validated.window,
        holdout=validated.holdout,
        fraction=spec.holdout.fraction,
        champion_train=champion.train if champion else None,
        champion_window=champion.window if champion else (),
        left_out=_by_rules(validated),
        weight=spec.weight,
    )


def _by_rules(validated: ValidateResult) -> dict[str, int]:
    """Reason → rows of window and holdout that a rule for rows has left out."""
    counts: Counter[str] = Counter()
    for span in (*validated.window, *validated.holdout):
        for one in validated.rules.get(span.name, ()):
            if one.action == "drop":
                counts[f"{RULE}{one.rule}"] += one.rows
    return dict(sorted(counts.items()))
