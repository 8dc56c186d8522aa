"""Images of a pipeline's own: what a spec may say, and what they are part of."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

from everfit.cli import main
from everfit.contracts.base import digest_of
from everfit.contracts.errors import SpecError, UserError
from everfit.contracts.messages.chain import CHAIN
from everfit.contracts.messages.steps import Order
from everfit.contracts.spec.images import Component, is_pinned
from everfit.contracts.spec.load import load_spec
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.engine.fingerprints import IN_NO_KEY, spec_digest
from everfit.engine.pipeline import monitor_pipeline, run_pipeline
from tests.world import QUICK, World

PINNED = "registry.example.org/team/fares@sha256:" + "a" * 64
OTHER = "sha256:" + "b" * 64


def spec(images: dict[str, str] | None = None) -> PipelineSpec:
    said: dict[str, Any] = {} if images is None else {"images": images}
    return PipelineSpec.model_validate({**QUICK, "name": "quick", **said})


def test_a_component_has_its_own_image_else_the_pipeline_s_else_none() -> None:
    named = spec({"default": PINNED, "train": OTHER})
    assert (named.image_of("train"), named.image_of("gate")) == (OTHER, PINNED)
    assert spec({"train": OTHER}).image_of("gate") is None
    assert [spec().image_of(name) for name in get_args(Component)] == [None] * len(
        get_args(Component)
    )


def test_without_images_every_digest_and_order_is_as_if_there_were_no_such_field() -> None:
    plain = spec()
    document = plain.model_dump(mode="json")
    assert "images" not in document
    assert "images" not in Order(component="plan", pipeline=plain).model_dump_json()
    assert spec({}) == plain
    # The digest as it was computed before a spec could name images.
    assert spec_digest(plain) == digest_of(plain.model_dump(mode="json", exclude=IN_NO_KEY))


def test_the_chain_s_images_are_part_of_a_run_and_monitoring_s_are_not() -> None:
    plain, one = spec_digest(spec()), spec_digest(spec({"train": PINNED}))
    assert len({plain, one, spec_digest(spec({"train": OTHER}))}) == 3
    assert spec_digest(spec({"drift_report": PINNED, "promote": OTHER})) == plain
    everything = dict.fromkeys(CHAIN, PINNED)
    assert spec_digest(spec(everything)) == spec_digest(spec({"default": PINNED}))


def test_images_outlive_json() -> None:
    named = spec({"train": PINNED})
    assert PipelineSpec.model_validate_json(named.model_dump_json()) == named


@pytest.mark.parametrize(
    ("image", "pinned"),
    [
        (PINNED, True),
        (OTHER, True),
        ("fares", False),
        ("fares:1.0", False),
        ("fares@sha256:" + "a" * 63, False),
        ("sha256:" + "A" * 64, False),
    ],
)
def test_only_a_digest_is_pinned(image: str, pinned: bool) -> None:
    assert is_pinned(image) is pinned


def test_a_wrong_component_or_image_is_named_with_its_field(tmp_path: Path) -> None:
    path = tmp_path / "quick.yaml"
    path.write_text(yaml.safe_dump({**QUICK, "images": {"trian": PINNED}}))
    with pytest.raises(SpecError) as failed:
        load_spec(path)
    assert failed.value.problems == ("images: 'trian' is no component; did you mean 'train'?",)
    path.write_text(yaml.safe_dump({**QUICK, "images": {"gate": "-v /:/host"}}))
    with pytest.raises(SpecError) as failed:
        load_spec(path)
    (problem,) = failed.value.problems
    assert problem.startswith("images.gate: string should match")


def test_check_warns_of_a_tag_and_ticks_the_spec(context, monkeypatch, capsys) -> None:
    world = World(context)
    monkeypatch.setenv("EVERFIT_ROOT", str(context.settings.root))
    world.spec["images"] = {"train": "fares:1.0", "gate": PINNED}
    world.load()
    assert main(["check", "quick", "--spec-only"]) == 0
    shown = capsys.readouterr()
    assert shown.out == "✓ quick\n"
    assert shown.err.startswith("SPEC quick.yaml images.train: warning: fares:1.0 is a tag")
    assert shown.err.count("\n") == 1


def test_what_an_image_holds_is_not_looked_for_here(context, monkeypatch, capsys) -> None:
    world = World(context)
    world.months(2)
    monkeypatch.setenv("EVERFIT_ROOT", str(context.settings.root))
    world.spec["train"] = {"families": [{"name": "ours", "estimator": "our_models.Ours"}]}
    world.load()
    assert main(["check", "quick"]) == 2
    world.spec["images"] = {"train": PINNED, "evaluate": PINNED, "gate": PINNED}
    world.load()
    assert main(["check", "quick"]) == 0
    assert "2 spans" in capsys.readouterr().out
    world.spec["images"] = {"default": PINNED}
    world.load()
    assert main(["check", "quick"]) == 0
    assert "the source was not checked: extract has an image of its own" in capsys.readouterr().out


@pytest.mark.parametrize("command", [["run"], ["replay"], ["monitor"], ["schema"]])
def test_what_runs_in_this_process_refuses_images(command, context, monkeypatch, capsys) -> None:
    world = World(context)
    world.months(2)
    monkeypatch.setenv("EVERFIT_ROOT", str(context.settings.root))
    world.spec["images"] = {"default": PINNED}
    world.load()
    assert main([*command, "quick"]) == 2
    shown = capsys.readouterr().err
    assert shown.startswith("IMAGES-HERE quick: what runs in this process has no image of its own")
    assert shown.count("\n") == 1
    assert context.ledger.evaluations("quick") == []


def test_only_the_components_that_would_run_count(context) -> None:
    world = World(context)
    world.months(2)
    world.spec["images"] = {"gate": PINNED}
    with pytest.raises(UserError, match="IMAGES-HERE"):
        run_pipeline(world.load(), context)
    idle: list[object] = []
    monitor_pipeline(world.load(), context, idle=idle.append)
    assert len(idle) == 1  # watch: there is no champion yet
