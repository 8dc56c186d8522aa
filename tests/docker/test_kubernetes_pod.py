"""The pod of a component, its container started as a kubelet starts one: with the real image.

An engine has no pods, so this takes from the rendered pod what a kubelet hands to it: user,
read-only root, capabilities, limits, variables, the order as a read-only file, the termination
message as a file of the host that anybody may write to.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from everfit.contracts.base import canonical_json
from everfit.contracts.messages.steps import Order, Outcome
from everfit.contracts.runners import Cluster, Mount, Place, size_of
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.contracts.version import VERSION
from everfit_airflow.runners import Task
from everfit_airflow.runners.pod import render_pod

SPEC = PipelineSpec.model_validate(
    {
        "name": "fares",
        "task": "regression",
        "target": "fare",
        "source": {"uri": "/data/*.csv"},
        "window": {"spans": 3},
        "train": {"families": ["linear"]},
        "gate": {"superior_by": "1%", "baseline": "median", "limits": {"mae": {"max": 5}}},
    }
)


@pytest.fixture
def claims(tmp_path) -> dict[str, Path]:
    """Folders that stand for volumes, with what a pipeline reads."""
    found = {"data": tmp_path / "data", "state": tmp_path / "state"}
    for folder in found.values():
        folder.mkdir()
        folder.chmod(0o777)
    for day in range(1, 7):
        rows = "".join(f"{distance},{distance * 2.5 + day}\n" for distance in range(200))
        (found["data"] / f"2026-01-0{day}.csv").write_text("distance,fare\n" + rows)
    return found


def as_a_kubelet_does(engine, pod, claims, folder, run_id) -> tuple[int, bytes, str]:
    """Exit code, termination message and log of a pod's container."""
    spec, [container] = pod["spec"], pod["spec"]["containers"]
    order, message = folder / "task" / "order.json", folder / "message"
    order.parent.mkdir()
    order.write_text(pod["metadata"]["annotations"]["io.everfit.order-document"])
    message.touch()
    message.chmod(0o666)
    volumes = {
        volume["name"]: claims[volume["persistentVolumeClaim"]["claimName"]]
        for volume in spec["volumes"]
        if "persistentVolumeClaim" in volume
    } | {"task": order.parent}
    binds = [
        f"{volumes[mount['name']]}:{mount['mountPath']}:{'ro' if mount.get('readOnly') else 'rw'}"
        for mount in container["volumeMounts"]
        if mount["name"] in volumes
    ]
    [room] = [v["emptyDir"]["sizeLimit"] for v in spec["volumes"] if v["name"] == "tmp"]
    limits = container["resources"]["limits"]
    made = engine.containers.create(
        container["image"],
        container["args"],
        environment={v["name"]: v["value"].replace("$$", "$") for v in container["env"]},
        user=str(spec["securityContext"]["runAsUser"]),
        read_only=container["securityContext"]["readOnlyRootFilesystem"],
        cap_drop=container["securityContext"]["capabilities"]["drop"],
        security_opt=["no-new-privileges:true"],
        nano_cpus=int(limits["cpu"].removesuffix("m")) * 10**6,
        mem_limit=size_of(limits["memory"]),
        tmpfs={"/tmp": f"size={size_of(room)},mode=1777"},
        volumes=[*binds, f"{message}:{container['terminationMessagePath']}:rw"],
        network_mode="none",
        labels={"io.everfit.run": run_id},
    )
    made.start()
    code = made.wait(timeout=300)["StatusCode"]
    return code, message.read_bytes(), made.logs().decode()


def test_the_component_image_works_as_a_pod(engine, claims, tmp_path, run_id):
    place = Place(
        image=f"everfit-components:{VERSION}",
        mounts=(
            Mount(source="data", target="/data"),
            Mount(source="state", target="/state", read_only=False),
        ),
    )
    task = Task("fares.train", "manual__1", "plan", -1, "fares", "plan")
    pod = render_pod(
        task,
        place,
        Cluster(),
        canonical_json(Order(component="plan", pipeline=SPEC)),
        {"EVERFIT_HOME": "/state", "EVERFIT_ROOT": "/state"},
        False,
    )
    code, message, log = as_a_kubelet_does(engine, pod, claims, tmp_path, run_id)
    assert code == 0, log
    assert len(message) <= 4096
    outcome = Outcome.model_validate_json(message)
    assert outcome.component == "plan" and outcome.result
    assert (claims["state"] / "ledger.db").exists()
