"""What prepare is asked to keep, and that it does."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq

from everfit.contracts.messages.artifacts import Artifact
from everfit.contracts.messages.requests import ValidateResult
from everfit.contracts.messages.spans import Span
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.steps.prepare.request import prepare_request
from everfit.steps.prepare.step import Prepare

SPEC = PipelineSpec.model_validate(
    {
        "name": "trips",
        "task": "regression",
        "target": "fare",
        "source": {"uri": "{data}/*.csv"},
        "features": {"drop": ["company", "driver", "zone"]},
        "holdout": {"fraction": 0.5},
        "slices": [{"name": "far", "where": "zone > 7"}],
        "gate": {
            "superior_by": "1%",
            "baseline": "mean",
            "fairness": [{"by": "company", "metric": "mae", "max_gap": 1}],
        },
    }
)


def test_columns_of_groups_are_kept_though_no_model_sees_them(context):
    table = pa.table(
        {
            "fare": [1.0 * k for k in range(40)],
            "miles": [0.5 * k for k in range(40)],
            "company": ["red", "blue"] * 20,
            "driver": ["d"] * 40,
            "zone": list(range(40)),
        }
    )
    path = context.scratch / "span.parquet"
    pq.write_table(table, path)
    stored = context.store.put("span.parquet", path)
    columns = {
        "fare": "float",
        "miles": "float",
        "company": "string",
        "driver": "string",
        "zone": "integer",
    }
    validated = ValidateResult(
        run_key="0" * 64,
        window=(Span(name="s", digest=stored.digest, rows=40, size=stored.size),),
        holdout=(),
        quarantined=(),
        anomalies=(),
        statistics={},
        report=Artifact(name="r.html", digest="0" * 64, size=1),
        columns=columns,
    )
    request = prepare_request(SPEC, validated, None)
    assert request.kept_columns == ("company", "zone")
    result = Prepare().run(request, context)
    assert {c.name: c.role for c in result.columns} == {
        "miles": "feature",
        "fare": "target",
        "company": "kept",
        "zone": "kept",
    }
    holdout = pq.read_table(context.store.local(result.holdout.digest, context.scratch))
    assert {"company", "zone"} <= set(holdout.column_names)
