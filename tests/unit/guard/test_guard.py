"""What the guard makes of paths, bodies and archives: anything in, and only what is allowed out."""

from __future__ import annotations

import contextlib
import copy
import io
import json
import re
import tarfile
from pathlib import Path
from urllib.parse import parse_qsl, unquote

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from everfit.contracts.runners import Place, size_of
from everfit_docker_guard import archive, shape
from everfit_docker_guard import logins as logins_module
from everfit_docker_guard.calls import KINDS, read_call
from everfit_docker_guard.logins import Logins, read_logins
from everfit_docker_guard.refusal import Refused
from everfit_docker_guard.settings import GuardSettings, SettingsError, read_settings

NAME = "everfit-fares-train-0123456789abcdef"
SETTINGS = GuardSettings(networks=("everfit_store",), mounts=({"source": "cache"},), gpus=1)
GOOD = {
    "Image": "everfit-components:0.1.0",
    "Cmd": shape.COMMAND,
    "User": "50000:50000",
    "Env": ["A=b"],
    "Labels": {
        "io.everfit.task": NAME,
        "io.everfit.pipeline": "fares",
        "io.everfit.component": "train",
        "io.everfit.dag": "fares",
        "io.everfit.run": "r",
        "io.everfit.order": "0" * 64,
        "io.everfit.image": "sha256:" + "0" * 64,
    },
    "Volumes": {"/task": {}},
    "Tty": False,
    "HostConfig": {
        "ReadonlyRootfs": True,
        "CapDrop": ["ALL"],
        "SecurityOpt": ["no-new-privileges:true"],
        "PidsLimit": 512,
        "Memory": 4 << 30,
        "MemorySwap": 4 << 30,
        "CpuPeriod": 100_000,
        "CpuQuota": 200_000,
        "NetworkMode": "everfit_store",
        "Tmpfs": {"/tmp": "rw,nosuid,nodev,noexec,mode=1777,size=1024"},
        "LogConfig": {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "3"}},
        "Mounts": [{"Type": "volume", "Source": "cache", "Target": "/c", "ReadOnly": True}],
        "DeviceRequests": [{"Driver": "", "Count": 1, "Capabilities": [["gpu"]], "Options": {}}],
    },
}

pieces = st.sampled_from(
    [
        "/",
        "//",
        "..",
        ".",
        "%2e%2e",
        "%2F",
        "%252f",
        "containers",
        "json",
        "images",
        "create",
        "x",
        "logs",
        "archive",
        "networks",
        "connect",
        "v1.41",
        "/v1.41",
        "_ping",
        "exec",
        "start",
        "\\",
        "%00",
        "%0a",
        "\n",
        " ",
        ";",
        "#",
        "@",
        ":",
        "sha256:",
        NAME,
        "kill",
        "wait",
        "ä",
        "%c3%a4",
    ]
)
paths = st.lists(pieces, max_size=8).map("".join) | st.sampled_from(["/", "/v1.41/"]).flatmap(
    lambda a: st.lists(pieces, max_size=6).map(lambda b: a + "/".join(b))
)
queries = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "name",
                "path",
                "signal",
                "t",
                "follow",
                "filters",
                "fromImage",
                "tag",
                "fromSrc",
                "v",
                "force",
                "x",
                "detachKeys",
            ]
        ),
        st.sampled_from(
            [
                "",
                "1",
                "0",
                "true",
                "/task",
                "/task/../etc",
                "/",
                "SIGKILL",
                "x&y",
                "everfit-components",
                "0.1.0",
                "%2e",
                "../x",
            ]
        )
        | st.text(max_size=5),
    ),
    max_size=4,
).map(lambda pairs: "&".join(f"{a}={b}" for a, b in pairs))


@given(st.sampled_from(["GET", "POST", "PUT", "DELETE", "HEAD", "PATCH"]), paths, queries)
def test_what_is_understood_is_a_known_call_whatever_was_said(method, path, query):
    try:
        call = read_call(method, path.encode(), query.encode())
    except Refused as refused:
        assert refused.status == 403 and "\n" not in str(refused)
        return
    assert call.kind in KINDS and call.kind.method == method
    assert re.fullmatch(r"(/v1\.[0-9]+)?", call.version)
    assert not {"..", ".", ""} & set(call.subject.split("/")) or not call.subject
    target = call.target(f"/containers/{call.subject}/json")
    where, _, asked = target.partition("?")
    assert unquote(where) == f"{call.version}/containers/{call.subject}/json"
    assert dict(parse_qsl(asked)) == dict(call.query) and set(call.query) <= set(call.kind.query)
    assert all(re.fullmatch(call.kind.query[k], v) for k, v in call.query.items())
    assert target.isascii() and target.isprintable() and " " not in target


def test_the_runners_calls_are_understood():
    call = read_call(
        "GET", b"/v1.41/images/registry.example:5000/team/x%40sha256:" + b"0" * 64 + b"/json", b""
    )
    assert call.subject == "registry.example:5000/team/x@sha256:" + "0" * 64
    call = read_call("DELETE", b"/v1.41/containers/abc", b"v=True&link=False&force=True")
    assert (call.subject, dict(call.query)) == ("abc", {"v": "True", "force": "True"})
    call = read_call(
        "GET", b"/containers/json", b"limit=-1&all=1&size=0&trunc_cmd=0&filters=%7B%7D"
    )
    assert dict(call.query) == {"limit": "-1", "all": "1", "filters": "{}"}


def test_the_runners_body_is_made():
    made = shape.judged(GOOD, NAME, SETTINGS)
    assert made["Labels"].pop("io.everfit.guard") == "everfit"
    assert made["Labels"] == GOOD["Labels"] and made["Cmd"] == GOOD["Cmd"]
    said = copy.deepcopy(GOOD["HostConfig"])
    said["DeviceRequests"][0].pop("Options")
    assert {k: v for k, v in made["HostConfig"].items() if k in said} == said
    assert {k: v for k, v in made["HostConfig"].items() if k not in said} == {"NanoCpus": 0}


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=8)
    | st.sampled_from(["host", "ALL", "none", "/", "no", "0", "root", "everfit_store", "size=1"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)
places = [
    ("Image",),
    ("User",),
    ("Cmd",),
    ("Env",),
    ("Labels",),
    ("Volumes",),
    ("HostConfig",),
    *((p, k) for p in ("HostConfig", "Labels") for k in GOOD[p]),
    *(
        ("HostConfig", k)
        for k in (
            "Privileged",
            "Binds",
            "PidMode",
            "CapAdd",
            "Devices",
            "privileged",
            "NanoCpus",
            "RestartPolicy",
        )
    ),
    *(
        ("HostConfig", "Mounts", 0, k)
        for k in ("Type", "Source", "Target", "ReadOnly", "VolumeOptions", "BindOptions")
    ),
    ("HostConfig", "Tmpfs", "/tmp"),
    ("HostConfig", "LogConfig", "Config"),
    ("HostConfig", "DeviceRequests", 0, "Count"),
    ("Entrypoint",),
    ("x",),
]


@given(st.lists(st.tuples(st.sampled_from(places), json_values), min_size=1, max_size=3))
def test_whatever_is_said_what_is_made_has_the_shape(changes):
    said = copy.deepcopy(GOOD)
    for place, value in changes:
        inner = said
        for part in place[:-1]:
            try:
                inner = inner[part]
            except (KeyError, IndexError, TypeError):
                break
        else:
            if isinstance(inner, dict):
                inner[place[-1]] = value
    try:
        made = shape.judged(json.loads(json.dumps(said)), NAME, SETTINGS)
    except Refused as refused:
        assert "\n" not in str(refused) and len(str(refused)) < 2000
        return
    host = made["HostConfig"]
    assert set(made) <= set(GOOD) and set(host) <= {
        *GOOD["HostConfig"],
        "NanoCpus",
        "RestartPolicy",
    }
    assert (host["ReadonlyRootfs"], host["CapDrop"]) == (True, ["ALL"])
    assert len(host["SecurityOpt"]) == 1 and host["NetworkMode"] in ("none", "everfit_store")
    assert 0 < host["Memory"] == host["MemorySwap"] <= 8 << 30 and 0 < host["PidsLimit"] <= 1024
    assert all(int(part) > 0 for part in made["User"].split(":")) and ":" in made["User"]
    limits = host["LogConfig"]["Config"]
    assert 1 <= int(limits["max-file"]) <= 10 and limits["max-size"]
    assert made["Cmd"] == GOOD["Cmd"]
    assert all(
        m["Source"] == "cache" and m["ReadOnly"] and m["Target"].startswith("/")
        for m in host["Mounts"]
    )
    assert made["Labels"]["io.everfit.task"] == NAME and set(host["Tmpfs"]) <= {"/tmp"}
    assert SETTINGS.allows_image(made["Image"]) and set(made["Volumes"]) == {"/task"}


@given(st.binary(max_size=2000) | st.binary(max_size=600).map(lambda b: b.ljust(1024, b"\0")))
def test_no_bytes_make_an_archive_of_anything_but_plain_files(sent):
    try:
        made = archive.judged(sent)
    except Refused:
        return
    with tarfile.open(fileobj=io.BytesIO(made)) as tar:
        assert all(entry.isreg() and "/" not in entry.name for entry in tar)


@given(
    st.text(max_size=20),
    st.sampled_from("01234567xgS"),
    st.integers(0, 0o7777777),
    st.binary(max_size=30),
)
def test_an_entry_comes_out_as_a_plain_file_or_not_at_all(name, kind, mode, content):
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w") as tar:
        entry = tarfile.TarInfo(name)
        entry.type, entry.mode, entry.size = kind.encode(), mode & 0o7777777, len(content)
        try:
            tar.addfile(entry, io.BytesIO(content))
        except (ValueError, UnicodeError):
            return
    try:
        made = archive.judged(written.getvalue())
    except Refused:
        return
    with tarfile.open(fileobj=io.BytesIO(made)) as tar:
        for one in tar:
            assert one.isreg() and re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*", one.name)
            assert one.mode <= 0o777 and one.name == name
            assert tar.extractfile(one).read() == content


@pytest.mark.parametrize(
    ("image", "allowed"),
    [
        ("everfit-components:0.1.0", True),
        ("everfit-components", False),
        ("evil.example/everfit-components:1", False),
        ("everfit-components:1/x", False),
        ("registry/team/a:1", True),
        ("registry/team/a/b:1", False),
        ("registryxteam/a:1", False),
        ("registry/team/:1", True),
        ("everfit-components:1\n", False),
    ],
)
def test_a_star_stops_at_a_slash(image, allowed):
    settings = GuardSettings(images=("everfit-components:*", "registry/team/*:?"))
    assert settings.allows_image(image) is allowed


def test_settings_that_are_wrong_are_said_and_nothing_is_served(tmp_path):
    assert read_settings({}) == GuardSettings()
    file = tmp_path / "guard.yaml"
    for text, said in (
        ("networks: [host]", "networks.0"),
        ("image: [x]", "image"),
        ("memory: lots", "memory"),
        ("mounts: [{source: /}]", "mounts.0.source"),
        ("mounts: [{source: /a/../b}]", "in full"),
        ("networks: ['container:x']", "networks.0"),
        ("[", "YAML"),
        ("7", "the file"),
    ):
        file.write_text(text)
        with pytest.raises(SettingsError, match=said):
            read_settings({"EVERFIT_GUARD": str(file)})
    with pytest.raises(SettingsError, match="FileNotFoundError"):
        read_settings({"EVERFIT_GUARD": str(tmp_path / "absent")})


def test_the_settings_in_the_documentation_are_the_defaults():
    page = (Path(__file__).resolve().parents[3] / "docs" / "explanation" / "guard.md").read_text()
    (block,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    assert set(yaml.safe_load(block)) == set(GuardSettings.model_fields)
    assert GuardSettings.model_validate(yaml.safe_load(block)) == GuardSettings()


def said(component="train", **host):
    """The runner's body for a component."""
    changed = copy.deepcopy(GOOD)
    changed["Labels"]["io.everfit.component"] = component
    changed["HostConfig"].update(host)
    return changed


def refused(body, settings=SETTINGS):
    with pytest.raises(Refused) as caught:
        shape.judged(body, NAME, settings)
    return str(caught.value)


@pytest.mark.parametrize(
    "limits",
    [
        {"max-size": "1g", "max-file": "999999"},
        {"max-size": "257m", "max-file": "1"},
        {"max-size": "26m", "max-file": "10"},
        {"max-size": "1k", "max-file": "11"},
        {"max-size": "0", "max-file": "1"},
        {"max-size": "1t", "max-file": "1"},
        {"max-size": "10m"},
        {"max-file": "1"},
        {},
    ],
)
def test_lines_are_kept_within_a_bound(limits):
    body = said(LogConfig={"Type": "json-file", "Config": limits})
    assert "LogConfig" in refused(body)


def test_lines_without_a_bound_are_not_kept():
    body = said()
    body["HostConfig"].pop("LogConfig")
    assert "LogConfig" in refused(body)
    assert "LogConfig" in refused(said(LogConfig=None))
    for limits in ({"max-size": "100m", "max-file": "1"}, {"max-size": "25m", "max-file": "10"}):
        shape.judged(said(LogConfig={"Type": "json-file", "Config": limits}), NAME, SETTINGS)


@pytest.mark.parametrize("user", ["50000:0", "50000:00", "50000", "50000:", "0:50000", "0:0"])
def test_neither_user_nor_group_is_roots(user):
    assert "User" in refused(said() | {"User": user})
    assert "GroupAdd" in refused(said(GroupAdd=["7"]))


NETWORKS = {"store": "s_net", "registry": "r_net", "source": "x_net"}


@pytest.mark.parametrize(
    ("component", "may"),
    [
        ("train", {"s_net"}),
        ("extract", {"s_net", "x_net"}),
        ("register", {"s_net", "r_net"}),
        ("plan", {"s_net", "r_net", "x_net"}),
    ],
)
def test_a_component_is_in_the_networks_it_needs(component, may):
    settings = GuardSettings(by_need=NETWORKS, mounts=({"source": "cache"},), gpus=1)
    for network in NETWORKS.values():
        body = said(component, NetworkMode=network)
        if network in may:
            shape.judged(body, NAME, settings)
        else:
            assert f"networks that {component} may use" in refused(body, settings)
    assert settings.networks_of(component) == may


def test_a_component_may_be_given_networks_and_images_of_its_own():
    settings = GuardSettings(
        by_need=NETWORKS,
        networks=("all",),
        components={"train": {"networks": ["gpu_net"], "images": ["team/train:*"]}},
    )
    assert settings.networks_of("train") == {"gpu_net"}
    assert settings.networks_of("gate") == {"all", "s_net"}
    assert settings.allows_image("team/train:1", "train") and settings.allows_image("team/train:1")
    assert not settings.allows_image("team/train:1", "gate")
    assert not settings.allows_image("everfit-components:1", "train")
    body = said("gate", NetworkMode="all") | {"Image": "team/train:1"}
    assert "Image is none of those that gate may use" in refused(body, settings)


TOKENS = {"worker": "w" * 32, "gpu": "g" * 32}


def header(text):
    return {b"authorization": text.encode()}


def test_a_runner_is_known_by_its_token():
    logins = Logins(TOKENS)
    assert logins.runner(header(f"Bearer {TOKENS['gpu']}")) == "gpu"
    assert logins.runner(header(f"bearer {TOKENS['worker']}")) == "worker"
    for wrong in ("", "Bearer", "Bearer ", f"Basic {TOKENS['gpu']}", TOKENS["gpu"], "Bearer wg"):
        with pytest.raises(Refused, match="GUARD login") as caught:
            logins.runner(header(wrong))
        assert caught.value.status == 401
        assert "www" not in str(caught.value)
    with pytest.raises(Refused):
        logins.runner({})
    assert Logins({}).runner({}) is None


def test_every_token_is_compared_to_its_end(monkeypatch):
    compared = []
    real = logins_module.hmac.compare_digest
    monkeypatch.setattr(
        logins_module.hmac, "compare_digest", lambda a, b: compared.append(a) or real(a, b)
    )
    for token in (*TOKENS.values(), "x" * 32):
        with contextlib.suppress(Refused):
            Logins(TOKENS).runner(header(f"Bearer {token}"))
    assert len(compared) == 6


@pytest.mark.parametrize(
    ("first", "second", "why"),
    [("a" * 40, "a" * 40, "another has the same"), ("short", "", "16"), ("", "", "16")],
)
def test_a_token_that_is_none_ends_the_guard(tmp_path, first, second, why):
    (tmp_path / "a").write_text(first)
    (tmp_path / "b").write_text(second)
    runners = {name: {"token": str(tmp_path / name)} for name in ("a", "b")}
    with pytest.raises(SettingsError, match=f"GUARD runners.*{why}"):
        read_logins(GuardSettings.model_validate({"runners": runners}))
    with pytest.raises(SettingsError, match="FileNotFoundError"):
        read_logins(GuardSettings.model_validate({"runners": {"c": {"token": "/nowhere"}}}))


def test_what_a_component_gets_by_default_is_let_through():
    place, limits = Place(), GuardSettings()
    assert limits.allows_image(place.image) and place.pids <= limits.pids
    assert size_of(place.memory) <= limits.most_memory and size_of(place.disk) <= limits.most_disk
    assert place.cpu <= limits.cpus
