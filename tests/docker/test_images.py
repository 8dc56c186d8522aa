"""What is in the images, and what is not."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from everfit.contracts.version import VERSION
from everfit.engine.fingerprints import code_digest, package_digest
from tests.docker.images import LOCKS, REPOSITORY, name_of, ran, told

ALL = ("components", "airflow", "mlflow")
KNOWS_DATA = (
    "evidently",
    "fairlearn",
    "matplotlib",
    "mlflow",
    "numpy",
    "pandas",
    "pyarrow",
    "scipy",
    "skops",
    "sklearn",
)
INSTALLED = """
import importlib.metadata as m, json
print(json.dumps({d.name.lower().replace("_", "-").replace(".", "-"): d.version
                  for d in m.distributions(path=[p for p in __import__("sys").path
                                                 if p.startswith("/opt/everfit/lib")])}))
"""
PYTHON = """
import json, platform, sys
print(json.dumps({"python_full_version": platform.python_version(),
                  "python_version": "%d.%d" % sys.version_info[:2],
                  "platform_machine": platform.machine(), "platform_system": platform.system()}))
"""
FOUND = """
import importlib.util as u, json
print(json.dumps([n for n in {names!r} if u.find_spec(n)]))
"""
FILES = """
import hashlib, json, pathlib
app = pathlib.Path("/opt/everfit/app")
ours = [p for p in app.rglob("*") if p.is_file() and (p.suffix or p.name) in {suffixes!r}]
print(json.dumps({{str(p.relative_to(app)): hashlib.sha256(p.read_bytes()).hexdigest()
                  for p in ours}}))
"""
TOOLS = """
for tool in pip pip3 uv conda gcc cc g++ clang ld as make cmake cargo curl wget sudo; do
  command -v $tool && exit 1
done
python -c 'import pip' 2>/dev/null && { echo pip; exit 1; }
python -c 'import ensurepip' 2>/dev/null && { echo ensurepip; exit 1; }
python3 -c 'import pip' 2>/dev/null && { echo pip of the base; exit 1; }
for left in /var/lib/apt/lists/* /root/.cache /build /var/log/dpkg.log /var/log/apt; do
  [ ! -e "$left" ] || { echo $left; exit 1; }
done
"""
WRITABLE = r"""
find / -xdev -perm -0002 ! -type l ! -path '/proc/*' ! -path '/dev/*' ! -path '/tmp*' \
  ! -path '/var/tmp' ! -path '/run/lock' 2>/dev/null
find / -xdev \( -perm -4000 -o -perm -2000 \) -path '/opt/*' 2>/dev/null
find /opt/everfit ! -user root 2>/dev/null
true
"""


@pytest.fixture(params=ALL)
def image(request, engine):
    """Each image, which `make images` has built."""
    return request.param


def test_it_runs_as_nobody_in_particular_behind_an_init(engine, image):
    config = engine.images.get(name_of(image)).attrs["Config"]
    assert config["User"] == "50000:0"
    assert config["Entrypoint"][:3] == ["tini", "-g", "--"]
    assert not config.get("Volumes")
    assert ran(engine, image, "id", "-u") == (0, "50000\n")


def test_nothing_is_left_that_builds_or_installs(engine, image):
    assert ran(engine, image, "sh", "-c", TOOLS) == (0, "")


def test_airflow_alone_has_git_for_bundles_of_dags(engine, image):
    expected = "/usr/bin/git\n" if image == "airflow" else ""
    assert ran(engine, image, "sh", "-c", "command -v git || true") == (0, expected)


def test_airflow_starts_celery_and_bundles_from_git(engine):
    code = (
        "import airflow.providers.celery.executors.celery_executor, "
        "airflow.providers.git.bundles.git"
    )
    assert ran(engine, "airflow", "python", "-c", code)[0] == 0


def test_its_user_owns_none_of_it_and_can_change_none_of_it(engine, image):
    assert ran(engine, image, "sh", "-c", WRITABLE, read_only=False) == (0, "")


def test_its_packages_are_those_of_the_lock_to_the_last_one(engine, image):
    lock = (REPOSITORY / "requirements" / LOCKS[image]).read_text()
    lines = re.findall(r"^([a-z0-9][^\s;\\]*==[^\s;\\]+(?: *;[^\\\n]*)?)", lock, re.M)
    assert lines
    assert all("--hash=sha256:" in entry for entry in re.split(r"\n(?=[a-z0-9])", lock.strip()))
    wanted = [Requirement(line) for line in lines]
    here = {"sys_platform": "linux", **told(engine, image, PYTHON)}
    locked = {
        one.name.lower().replace("_", "-").replace(".", "-"): str(one.specifier)[2:]
        for one in wanted
        if one.marker is None or one.marker.evaluate(here)
    }
    assert told(engine, image, INSTALLED) == locked


def test_the_component_image_has_no_airflow(engine):
    names = ["airflow", "everfit_airflow", "celery", "flask_appbuilder"]
    assert told(engine, "components", FOUND.format(names=names)) == []


def test_the_airflow_image_knows_no_data(engine):
    assert told(engine, "airflow", FOUND.format(names=list(KNOWS_DATA))) == []


@pytest.mark.parametrize(
    ("image", "folders", "suffixes"),
    [
        ("components", ("pipeline_components", "dags/pipelines"), (".py", ".yaml", ".mako", ".j2")),
        (
            "airflow",
            (
                "dags",
                "plugins",
                "pipeline_components/everfit/contracts",
                "pipeline_components/everfit/__init__.py",
                "pipeline_components/everfit/airflow.py",
            ),
            (".py", ".yaml", ".airflowignore"),
        ),
    ],
)
def test_it_holds_this_checkout_and_nothing_else(engine, image, folders, suffixes):
    ours = {}
    for folder in folders:
        top = REPOSITORY / folder
        for path in [top] if top.is_file() else sorted(top.rglob("*")):
            if path.is_file() and (path.suffix or path.name) in suffixes:
                ours[str(path.relative_to(REPOSITORY))] = path
    ours = {
        name: hashlib.sha256(path.read_bytes()).hexdigest()
        for name, path in ours.items()
        if not name.startswith("plugins/everfit_launch/")
    }
    inside = told(engine, image, FILES.format(suffixes=list(suffixes)))
    assert inside == ours, "the image is of another checkout; build it: make images"


def test_its_labels_say_what_the_code_inside_says(engine):
    labels = engine.images.get(name_of("components")).labels
    inside = told(
        engine,
        "components",
        "import json\nfrom everfit.engine.fingerprints import *\n"
        "print(json.dumps([code_digest('run'), package_digest(), environment_digest()]))",
    )
    names = ("code", "package", "environment")
    assert [labels[f"io.everfit.{name}"] for name in names] == inside
    assert inside[:2] == [code_digest("run"), package_digest()]


def test_its_labels_say_what_it_is(engine, image):
    labels = engine.images.get(name_of(image)).labels
    assert labels["org.opencontainers.image.version"] == VERSION
    assert labels["org.opencontainers.image.licenses"] == "Apache-2.0"
    assert labels["org.opencontainers.image.title"].startswith("Everfit")


def test_no_layer_tells_a_secret_or_where_it_was_built(engine, image):
    made = engine.images.get(name_of(image))
    told_by_layers = "\n".join(f"{one['CreatedBy']} {one['Comment']}" for one in made.history())
    config = engine.images.get(name_of(image)).attrs["Config"]
    told_by_layers += "\n".join([*(config["Env"] or []), *map(str, config["Labels"].items())])
    assert str(REPOSITORY) not in told_by_layers
    assert str(Path.home()) + "/" not in told_by_layers
    assert not re.search(
        r"(?i)(password|secret|token|api_?key)\s*=\s*[^\s$]|https?://|://[^/\s]+:[^/\s]+@",
        told_by_layers,
    )
