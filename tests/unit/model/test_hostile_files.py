"""Hostile files in place of a model: nothing of them runs, and each is one clear line.

Every file here would make a canary file if any of it ran. The same bytes are planted in the store,
under a digest that is right, and in MLflow's artifacts.
"""

from __future__ import annotations

import ast
import io
import json
import pickle
import struct
import subprocess
import sys
import types
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import joblib
import numpy as np
import pytest
import sklearn
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import Ridge
from sklearn.pipeline import Pipeline

from everfit.champion.servable import check_servable
from everfit.contracts.errors import IntegrityError
from everfit.ml.model import load_model, save_model
from everfit.ml.model.load import misused, parse_model
from everfit.steps.register.step import Register
from everfit.storage.store import blob_key
from tests.unit.register.small_run import SPEC, fitted, small_run

ROOT = Path(__file__).resolve().parents[3]

CANARY = Path("/tmp") / "everfit-canary"


@pytest.fixture(autouse=True)
def canary() -> Iterator[Path]:
    """A file that only hostile code would make."""
    CANARY.unlink(missing_ok=True)
    yield CANARY
    assert not CANARY.exists(), "something hostile ran"


def command() -> str:
    return f"touch {CANARY}"


class Touch:
    """Runs a command when it is unpickled."""

    def __reduce__(self):
        import os

        return (os.system, (command(),))


def archive(schema: object, **files: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as made:
        text = schema if isinstance(schema, str) else json.dumps(schema)
        made.writestr("schema.json", text)
        for name, content in files.items():
            made.writestr(name, content)
    return buffer.getvalue()


def node(module: str, name: str, loader: str, **more: object) -> dict[str, object]:
    return {"__module__": module, "__class__": name, "__loader__": loader, **more}


def text(value: object) -> dict[str, object]:
    return node("builtins", "str", "JsonNode", content=json.dumps(value), is_json=True)


def pair(*items: object) -> dict[str, object]:
    return node("builtins", "tuple", "TupleNode", content=list(items))


def mapping(**items: object) -> dict[str, object]:
    kinds = [node("builtins", "str", "TypeNode") for _ in items]
    return node(
        "builtins",
        "dict",
        "DictNode",
        content=items,
        key_types=node("builtins", "list", "ListNode", content=kinds),
    )


def partial(func: object, *args: object, **more: object) -> dict[str, object]:
    content = {"func": func, "args": pair(*args), "kwds": mapping(), "namespace": text(None)}
    return node("functools", "partial", "PartialNode", content=content, **more)


def in_pipeline(root: dict[str, object]) -> dict[str, object]:
    """A Pipeline that holds it, as skops writes one."""
    steps = node("builtins", "list", "ListNode", content=[pair(text("step"), root)])
    content = mapping(
        steps=steps,
        memory=text(None),
        verbose=text(False),
        _sklearn_version=text(sklearn.__version__),
    )
    return node("sklearn.pipeline", "Pipeline", "ObjectNode", content=content)


def skops_file(root: dict[str, object], **files: bytes) -> bytes:
    """A file that skops takes for one of its own."""
    with zipfile.ZipFile(io.BytesIO(fitted())) as ours:
        protocol = json.loads(ours.read("schema.json"))["protocol"]
    whole = {**in_pipeline(root), "protocol": protocol, "_skops_version": "0.16.0"}
    return archive(whole, **files)


SYSTEM = node("os", "system", "FunctionNode")
CHECK_ARRAY = node("sklearn.utils.validation", "check_array", "FunctionNode")


def called(module: str, name: str, *args: object) -> dict[str, object]:
    """skops calls such a type with its arguments while it loads."""
    return node(module, name, "ConstructorFromReduceNode", content=pair(*args))


def with_function(func: dict[str, object]) -> dict[str, object]:
    """A transformer that would call it with the rows to predict."""
    content = mapping(func=func, inverse_func=text(None), validate=text(False))
    return node(
        "sklearn.preprocessing._function_transformer",
        "FunctionTransformer",
        "ObjectNode",
        content=content,
    )


def object_array() -> bytes:
    """An .npy file whose object is a pickle."""
    buffer = io.BytesIO()
    np.save(buffer, np.array([Touch()], dtype=object), allow_pickle=True)
    return buffer.getvalue()


def endless_array() -> bytes:
    """An .npy file that claims to be an exabyte."""
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (144115188075855872,), }".ljust(
        117
    )
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", 118) + header + b"\n" + bytes(8)


def array(file: str = "0.npy") -> dict[str, object]:
    return node("numpy", "ndarray", "NdArrayNode", type="numpy", file=file)


def cloudpickled() -> bytes:
    cloudpickle = pytest.importorskip("cloudpickle")
    return cloudpickle.dumps(Touch())


def joblibbed() -> bytes:
    buffer = io.BytesIO()
    joblib.dump(Touch(), buffer)
    return buffer.getvalue()


def twice() -> bytes:
    """Two schemas in one archive: what is looked at must be what is loaded."""
    buffer = io.BytesIO()
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(buffer, "w") as made:
        made.writestr("schema.json", "{}")
        made.writestr("schema.json", skops_text(called("os", "system", text(command()))))
    return buffer.getvalue()


def skops_text(root: dict[str, object]) -> str:
    with zipfile.ZipFile(io.BytesIO(skops_file(root))) as made:
        return made.read("schema.json").decode()


def huge() -> bytes:
    """A few bytes that say they are 8 GiB, in the archive's directory."""
    data = bytearray(archive("{}", big=bytes(1000)))
    place = data.index(b"PK\x01\x02", data.index(b"PK\x01\x02") + 1)
    data[place + 24 : place + 28] = struct.pack("<I", 0xFFFFFFF0)
    return bytes(data)


HOSTILE: dict[str, tuple[Callable[[], bytes], str]] = {
    "pickle": (lambda: pickle.dumps(Touch()), "no zip archive"),
    "old pickle": (lambda: b"cos\nsystem\n(S'touch /tmp/everfit-canary'\ntR.", "no zip archive"),
    "joblib": (joblibbed, "no zip archive"),
    "cloudpickle": (cloudpickled, "no zip archive"),
    "pickle behind a zip": (
        lambda: pickle.dumps(Touch()) + archive("{}"),
        "while reading it",
    ),
    "system": (lambda: skops_file(called("os", "system", text(command()))), "os.system"),
    "posix": (lambda: skops_file(called("posix", "system", text(command()))), "posix.system"),
    "popen": (
        lambda: skops_file(called("subprocess", "Popen", text(command()))),
        "subprocess.Popen",
    ),
    "eval": (lambda: skops_file(called("builtins", "eval", text("1"))), "builtins.eval"),
    "loads": (
        lambda: skops_file(
            called("pickle", "loads", node("builtins", "bytes", "BytesNode", file="p")),
            p=pickle.dumps(Touch()),
        ),
        "pickle.loads",
    ),
    "load": (lambda: skops_file(called("joblib", "load", text("x"))), "joblib.load"),
    "function": (lambda: skops_file(with_function(SYSTEM)), "os.system"),
    "partial of system": (lambda: skops_file(with_function(partial(SYSTEM))), "os.system"),
    "partial called": (
        lambda: skops_file(called("functools", "partial", SYSTEM, text(command()))),
        "functools.partial of",
    ),
    "partial of a ufunc": (
        lambda: skops_file(with_function(partial(node("numpy", "add", "FunctionNode")))),
        "functools.partial of numpy.add",
    ),
    "partial of a type": (
        lambda: skops_file(partial(node("builtins", "map", "TypeNode"), SYSTEM)),
        "functools.partial of builtins.map",
    ),
    "partial of a shared object": (
        lambda: skops_file(partial({**CHECK_ARRAY, "__id__": 7})),
        "functools.partial of sklearn.utils.validation.check_array",
    ),
    "partial in disguise": (
        lambda: skops_file({**partial(SYSTEM), "__class__": "list", "__module__": "builtins"}),
        "builtins.list of os.system",
    ),
    "check_array called": (
        lambda: skops_file(called("sklearn.utils.validation", "check_array", array())),
        "check_array as ConstructorFromReduceNode",
    ),
    "methodcaller": (
        lambda: skops_file(
            node(
                "operator",
                "methodcaller",
                "OperatorFuncNode",
                attrs=pair(text("system"), text(command())),
            )
        ),
        "operator.methodcaller",
    ),
    "any operator": (
        lambda: skops_file(node("operator", "call", "OperatorFuncNode", attrs=pair(SYSTEM))),
        "operator.call",
    ),
    "method": (
        lambda: skops_file(
            node(
                "sklearn.linear_model._ridge",
                "Ridge",
                "MethodNode",
                content={
                    "func": "set_params",
                    "obj": node(
                        "sklearn.linear_model._ridge", "Ridge", "ObjectNode", content=mapping()
                    ),
                },
            )
        ),
        "Ridge.set_params",
    ),
    "default factory": (
        lambda: skops_file(
            node(
                "collections",
                "defaultdict",
                "DefaultDictNode",
                content={"main": mapping(), "default_factory": SYSTEM},
            )
        ),
        "os.system",
    ),
    "list of another kind": (
        lambda: skops_file(node("os", "system", "ListNode", content=[text(command())])),
        "os.system",
    ),
    "key of another kind": (
        lambda: skops_file(
            {
                **mapping(a=text(1)),
                "key_types": node(
                    "builtins", "list", "ListNode", content=[node("os", "system", "TypeNode")]
                ),
            }
        ),
        "os.system",
    ),
    "array of another kind": (
        lambda: skops_file(
            {**array(), "__module__": "os", "__class__": "system"}, **{"0.npy": object_array()}
        ),
        "os.system",
    ),
    "object array": (
        lambda: skops_file(array(), **{"0.npy": object_array()}),
        "while reading it",
    ),
    "array that is a pickle": (
        lambda: skops_file(array(), **{"0.npy": pickle.dumps(Touch())}),
        "while reading it",
    ),
    "endless array": (
        lambda: skops_file(array(), **{"0.npy": endless_array()}),
        "reading it|more memory",
    ),
    "random generator": (
        lambda: skops_file(
            node(
                "numpy.random",
                "Generator",
                "RandomGeneratorNode",
                content={
                    "bit_generator": mapping(bit_generator=text("seed")),
                    "seed_seq": mapping(),
                },
            )
        ),
        "numpy.random.",
    ),
    "a file outside": (lambda: skops_file(array("../../../etc/passwd")), "KeyError"),
    "an absolute file": (lambda: skops_file(array("/etc/passwd")), "KeyError"),
    "an unknown loader": (
        lambda: skops_file(node("os", "system", "PickleNode", content="x")),
        "while reading it",
    ),
    "an old protocol": (
        lambda: archive({**in_pipeline(called("os", "system", text(command()))), "protocol": 0}),
        "os.system|while reading it",
    ),
    "endless nesting": (lambda: archive("[" * 200_000), "while reading it"),
    "two schemas": (twice, "names an entry twice"),
    "a bomb": (huge, "unpacks to"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_nothing_of_a_hostile_file_runs(kind, context, capfd):
    make, said = HOSTILE[kind]
    artifact = context.store.put("model.skops", make())  # its digest is right
    with pytest.raises(IntegrityError, match=rf"MODEL-(FILE|TYPES) .*({said})") as caught:
        load_model(context.store, artifact, context.scratch, ("sklearn.svm.SVR",))
    assert "\n" not in caught.value.line and "Traceback" not in caught.value.line
    assert capfd.readouterr().out == ""


def test_the_canary_would_sing(canary):
    """The files are loaded guns: pickle runs them, and skops would, if it trusted the file."""
    import skops.io

    pickle.loads(HOSTILE["pickle"][0]())
    assert canary.exists()
    canary.unlink()
    data = HOSTILE["system"][0]()
    skops.io.loads(data, trusted=skops.io.get_untrusted_types(data=data))
    assert canary.exists()
    canary.unlink()


def test_the_partial_that_boosting_needs_still_loads():
    rng = np.random.default_rng(0)
    table = rng.integers(0, 3, size=(60, 2)).astype(float)
    model = HistGradientBoostingRegressor(max_iter=2, categorical_features=[1])
    data, wanted = save_model(Pipeline([("m", model.fit(table, table[:, 0]))]))
    assert "functools.partial" in wanted
    assert np.isfinite(parse_model(data, "m").predict(table)).all()
    with zipfile.ZipFile(io.BytesIO(data)) as made:
        assert misused(json.loads(made.read("schema.json"))) == []


def test_a_trusted_package_does_not_lend_what_it_imports(monkeypatch, canary):
    """Its classes are trusted, since naming one runs its code; ``os`` in its modules is not."""
    import os

    company = types.ModuleType("mycompany")
    company.Forest = type("Forest", (), {"fit": None, "__module__": "mycompany"})
    company.system, company.os = os.system, os
    monkeypatch.setitem(sys.modules, "mycompany", company)
    for name in ("system", "os", "absent"):
        data = skops_file(called("mycompany", name, text(command())))
        with pytest.raises(IntegrityError, match=rf"MODEL-TYPES .*mycompany.{name}"):
            parse_model(data, "m", ["mycompany.Forest"])


def test_a_list_that_the_file_or_mlflow_brings_is_not_read(context):
    """MLflow would take the trusted types from the model's own description."""
    request = small_run(context)
    Register().run(request, context)
    record = context.ledger.version(request.run_key)
    (folder,) = (context.settings.home / "mlartifacts").glob("*/*/artifacts/model")
    hostile = HOSTILE["system"][0]()
    (folder / "model.skops").write_bytes(hostile)
    described = (folder / "MLmodel").read_text()
    (folder / "MLmodel").write_text(
        described.replace("skops_trusted_types: []", "skops_trusted_types: [os.system]")
    )
    assert "[os.system]" in (folder / "MLmodel").read_text()
    check_servable(SPEC, record, context)  # reads the store's bytes, whatever MLflow holds
    Register().run(request, context)  # and puts the judged bytes back
    assert (folder / "model.skops").read_bytes() != hostile


@pytest.mark.parametrize("kind", ["pickle", "system"])
def test_bytes_planted_in_the_store_are_found_out_by_their_digest(kind, context):
    request = small_run(context)
    Register().run(request, context)
    record = context.ledger.version(request.run_key)
    path = Path(context.store.root) / blob_key(record.champion.model.digest)
    path.chmod(0o644)
    path.write_bytes(HOSTILE[kind][0]())
    with pytest.raises(IntegrityError, match="STORE-ALTERED"):
        check_servable(SPEC, record, context)


@pytest.mark.parametrize("kind", ["pickle", "system"])
def test_a_record_that_names_planted_bytes_is_found_out_by_its_signature(kind, context):
    request = small_run(context)
    Register().run(request, context)
    record = context.ledger.version(request.run_key)
    planted = context.store.put("model.skops", HOSTILE[kind][0]())
    champion = record.champion.model_copy(update={"model": planted})
    with pytest.raises(IntegrityError, match="LEDGER-SIGNATURE"):
        check_servable(SPEC, record.model_copy(update={"champion": champion}), context)


def calls_in(path: Path) -> Iterator[tuple[int, str]]:
    """Every dotted name that a file uses or imports, with its line."""
    for found in ast.walk(ast.parse(path.read_text())):
        if isinstance(found, ast.Attribute | ast.Name):
            yield found.lineno, ast.unparse(found)
        elif isinstance(found, ast.ImportFrom):
            yield from ((found.lineno, f"{found.module}.{n.name}") for n in found.names)
        elif isinstance(found, ast.Import):
            yield from ((found.lineno, name.name) for name in found.names)


UNPICKLERS = ("pickle", "cPickle", "cloudpickle", "dill", "shelve", "marshal", "joblib.load")


def unpickles(name: str) -> bool:
    if name.startswith("mlflow.") or ".pyfunc" in name:
        return name.rpartition(".")[2] in ("load_model", "load_context", "pyfunc", "sklearn")
    top = name.partition(".")[0]
    return top in UNPICKLERS or name in UNPICKLERS or name.endswith(("read_pickle", "allow_pickle"))


def test_nothing_of_ours_can_unpickle():
    """No pickle, no joblib.load, no model loaded through MLflow: in no file of ours."""
    files = [*(ROOT / "pipeline_components").rglob("*.py"), *(ROOT / "plugins").rglob("*.py")]
    files += (ROOT / "dags").rglob("*.py")
    assert len(files) > 300
    found = [
        f"{path.relative_to(ROOT)}:{line} {name}"
        for path in files
        for line, name in calls_in(path)
        if unpickles(name)
    ]
    assert found == []
    allowed = [path for path in files if "allow_pickle=True" in path.read_text()]
    assert allowed == []


def test_the_scan_sees_what_it_looks_for(tmp_path):
    path = tmp_path / "bad.py"
    path.write_text(
        "import pickle\nfrom joblib import load\nimport mlflow\nmlflow.sklearn.load_model('x')\n"
        "mlflow.pyfunc.load_model('x')\nimport pandas as pd\npd.read_pickle('x')\n"
        "from mlflow.pyfunc import load_model\nimport cloudpickle as c\n"
    )
    lines = {line for line, name in calls_in(path) if unpickles(name)}
    assert lines == {1, 2, 4, 5, 7, 8, 9}


def test_a_component_reading_a_hostile_candidate_ends_with_one_line(context):
    """In a process of its own, as a task: exit code 2, and no traceback."""
    digest = context.store.put("model.skops", HOSTILE["function"][0]()).digest
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from everfit.contracts.messages.artifacts import Artifact\n"
        "from everfit.contracts.errors import EverfitError\n"
        "from everfit.ml.model import load_model\n"
        "from everfit.storage.store import open_store\n"
        "try:\n"
        f"    load_model(open_store({context.store.url!r}), "
        f"Artifact(name='m', digest={digest!r}, size=1), Path('.'))\n"
        "except EverfitError as error:\n"
        "    print(error.line); sys.exit(error.exit_code)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (2, "")
    assert done.stdout.startswith("MODEL-TYPES m: ") and done.stdout.count("\n") == 1


def test_a_good_model_is_still_a_good_model():
    assert isinstance(parse_model(fitted(), "m"), Pipeline)
    data, _ = save_model(Pipeline([("m", Ridge().fit(np.eye(3), [1.0, 2, 3]))]))
    assert parse_model(data, "m").predict(np.eye(3)).shape == (3,)
