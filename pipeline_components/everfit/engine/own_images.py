"""Images of its own that a pipeline names: only a container can run them."""

from __future__ import annotations

from collections.abc import Iterable

from everfit.contracts.errors import UserError, shortlist
from everfit.contracts.spec.images import Component
from everfit.contracts.spec.pipeline import PipelineSpec


def refuse_own_images(spec: PipelineSpec, components: Iterable[Component]) -> None:
    """Make sure that what is to run in this process has no image of its own.

    The code of here would give another answer than the image, under the same name.

    Raises
    ------
    UserError
        If the spec names an image for one of the components.
    """
    named = [f"{name} {image}" for name in components if (image := spec.image_of(name))]
    if named:
        raise UserError(
            "IMAGES-HERE",
            spec.name,
            "what runs in this process has no image of its own",
            f"the spec names one for {shortlist(named, 2)}",
            "Run it through Airflow in containers (docs/how-to/own_components.md)",
        )
