import pytest
from pipeline_components.evaluate import door


@pytest.mark.parametrize("task", ["regression", "binary", "multiclass"])
def test_run(world, task):
    w = world(task, time=True)
    import time

    t = time.process_time()
    r = door.run(w.request, w.context)
    print("cold", time.process_time() - t)
    t = time.process_time()
    r2 = door.run(w.request, w.context)
    print("warm", time.process_time() - t)
    assert r == r2
    print(r.model_dump_json(indent=1)[:6000])
    print(w.context.store.get(r.card.digest).decode())
    import pathlib

    for p in r.plots:
        pathlib.Path(f"/tmp/ev/{task}_{p.name}").write_bytes(w.context.store.get(p.digest))
