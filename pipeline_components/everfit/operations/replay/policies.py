"""Other policies to replay, each read from a YAML file of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from everfit.contracts.errors import SpecError, UserError
from everfit.contracts.spec.load import spec_error
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.contracts.spec.yaml_file import read_document

PARTS = ("triggers", "monitor")
"""What a policy may say; everything else stays as the pipeline's spec has it."""


def read_policy(path: Path, spec: PipelineSpec) -> PipelineSpec:
    """The spec under another policy.

    Parameters
    ----------
    path : Path
        Holds ``triggers`` and, if it likes, ``monitor``; a whole pipeline's YAML will do too.

    Raises
    ------
    UserError
        If there is no such file.
    SpecError
        With every problem of it.
    """
    if not path.is_file():
        raise UserError(
            "REPLAY-POLICY",
            str(path),
            "a policy is a YAML file with triggers",
            "there is none",
            "Give the path of one, such as a copy of the pipeline's YAML with other triggers",
        )
    document = read_document(path)
    given: dict[str, Any] = {part: document.data[part] for part in PARTS if part in document.data}
    if not given:
        raise SpecError(path.name, [f"a policy says {' or '.join(PARTS)}; this says neither"])
    values = spec.model_dump(mode="json") | given
    try:
        return PipelineSpec.model_validate(values)
    except ValidationError as error:
        raise spec_error(path.name, PipelineSpec, error, document) from None
