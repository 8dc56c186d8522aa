"""A component is given the secrets of what it reaches, and no others; all of them are masked."""

from __future__ import annotations

import asyncio
import base64
import json

import pytest
from airflow.sdk._shared.secrets_masker import redact
from airflow.sdk.configuration import clear_secrets_backends_cache
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from everfit.contracts.runners import Connections, needs
from everfit.contracts.spec.load import load_spec
from everfit.contracts.spec.source import read_source
from everfit_airflow.operators.failures import ComponentFailed, UserActionRequired
from everfit_airflow.security import credentials as reader
from everfit_airflow.security.credentials import credentials, for_lister, is_credential
from everfit_airflow.security.signing_keys import require_key

KEY = Ed25519PrivateKey.generate()
PEM = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
PUBLIC = f"ed25519:{base64.b64encode(KEY.public_key().public_bytes_raw()).decode()}"
PUBLIC_PEM = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

AROUND = {
    "PATH": "/bin",
    "AWS_ACCESS_KEY_ID": "AKIAROUND",
    "AWS_SECRET_ACCESS_KEY": "secret-around",
    "AWS_PROFILE": "around",
    "AWS_ENDPOINT_URL": "http://s3.around:9000",
    "AWS_ENDPOINT_URL_S3": "http://s3.around:9000",
    "EVERFIT_LEDGER": "postgresql+psycopg://everfit:ledger-around@db/ledger",
    "EVERFIT_MLFLOW": "https://mlflow.around",
    "MLFLOW_TRACKING_USERNAME": "around",
    "MLFLOW_TRACKING_PASSWORD": "mlflow-around",
    "MLFLOW_TRACKING_TOKEN": "token-around",
    "EVERFIT_SIGNING_KEY": PEM,
    "EVERFIT_CONN_TRIPS": "postgresql+psycopg://reader:source-around@db/trips",
    "EVERFIT_CONN_OTHER": "postgresql+psycopg://reader:another-pipelines@db/other",
    "AIRFLOW__CORE__FERNET_KEY": "fernet",
}

STORE = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_ENDPOINT_URL"} | {
    "AWS_ENDPOINT_URL_S3",
    "EVERFIT_LEDGER",
    "EVERFIT_VERIFY_KEY",
}
REGISTRY = {
    "EVERFIT_MLFLOW",
    "MLFLOW_TRACKING_USERNAME",
    "MLFLOW_TRACKING_PASSWORD",
    "MLFLOW_TRACKING_TOKEN",
    "EVERFIT_SIGNING_KEY",
}


@pytest.fixture
def spec(folder):
    path = folder / "fares.yaml"
    path.write_text(
        path.read_text().replace(
            'source: {uri: "{data}/*.csv"}',
            "source: {uri: sql, connection: trips, query: SELECT * FROM trips, watermark: at}",
        )
    )
    return load_spec(path)


@pytest.fixture
def connection(monkeypatch):
    """Gives a function that adds a connection, as a secrets backend would hold it."""

    def add(name: str, **parts) -> None:
        monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps(parts))

    return add


@pytest.mark.parametrize(
    ("component", "given"),
    [
        ("validate", STORE),
        ("train", STORE),
        ("gate", STORE),
        ("plan", (STORE | REGISTRY | {"EVERFIT_CONN_TRIPS"}) - {"EVERFIT_SIGNING_KEY"}),
        ("extract", STORE | {"EVERFIT_CONN_TRIPS"}),
        ("register", (STORE | REGISTRY) - {"EVERFIT_VERIFY_KEY"}),
        ("promote", (STORE | REGISTRY) - {"EVERFIT_VERIFY_KEY"}),
    ],
)
def test_a_component_gets_what_it_reaches_and_nothing_else(spec, component, given):
    found = credentials(spec, component, Connections(), AROUND)
    assert set(found) == given
    for name in given - {"EVERFIT_VERIFY_KEY"}:
        assert found[name] == AROUND[name]


def test_whatever_is_handed_on_by_need_is_dropped_from_what_is_handed_on_anyway(spec):
    """What the runners keep of Airflow's environment must hold none of it."""
    everything = {
        name
        for component in ("extract", "register")
        for name in credentials(spec, component, Connections(), AROUND)
    }
    assert all(is_credential(name) for name in everything)
    assert is_credential("EVERFIT_CONN_OTHER")
    kept = {name for name in AROUND if not is_credential(name)}
    assert kept == {"PATH", "AIRFLOW__CORE__FERNET_KEY"}
    for name in ("EVERFIT_STORE", "EVERFIT_DATA", "EVERFIT_HOME", "OMP_NUM_THREADS", "HOME"):
        assert not is_credential(name)


def test_without_settings_and_without_secrets_there_are_none(spec):
    """The laptop: folders, SQLite, a key that Everfit makes."""
    assert credentials(spec, "register", Connections(), {"PATH": "/bin"}) == {}
    assert credentials(spec, "train", Connections(), {"PATH": "/bin"}) == {}


def test_a_connection_to_aws_takes_the_place_of_who_airflow_is(spec, connection):
    connection(
        "lake",
        conn_type="aws",
        login="AKIALAKE",
        password="secret/of+lake",
        extra={
            "region_name": "eu-central-1",
            "endpoint_url": "https://s3.lake",
            "aws_session_token": "session-of-lake",
        },
    )
    found = credentials(spec, "train", Connections(aws="lake"), AROUND)
    assert {name: value for name, value in found.items() if name.startswith("AWS_")} == {
        "AWS_ACCESS_KEY_ID": "AKIALAKE",
        "AWS_SECRET_ACCESS_KEY": "secret/of+lake",
        "AWS_SESSION_TOKEN": "session-of-lake",
        "AWS_ENDPOINT_URL": "https://s3.lake",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_REGION": "eu-central-1",
    }


def test_a_connection_to_aws_without_keys_leaves_the_usual_chain(spec, connection):
    connection("lake", conn_type="aws", extra={"region_name": "eu-central-1"})
    around = {"AWS_ROLE_ARN": "arn:aws:iam::1:role/x", "AWS_WEB_IDENTITY_TOKEN_FILE": "/token"}
    found = credentials(spec, "train", Connections(aws="lake"), around)
    assert found == {
        **around,
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_REGION": "eu-central-1",
    }


def test_keys_may_stand_in_the_extra_fields(spec, connection):
    connection(
        "lake",
        conn_type="aws",
        extra={"aws_access_key_id": "AKIAEXTRA", "aws_secret_access_key": "secret-extra"},
    )
    found = credentials(spec, "train", Connections(aws="lake"), {})
    assert found == {
        "AWS_ACCESS_KEY_ID": "AKIAEXTRA",
        "AWS_SECRET_ACCESS_KEY": "secret-extra",
    }


def test_a_role_that_a_connection_names_is_assumed(spec, connection, s3_environment, s3_endpoint):
    """Through the provider, at an STS of our own: a component gets keys that pass away."""
    connection(
        "lake",
        conn_type="aws",
        login="AKIALAKE",
        password="secret-of-lake",
        extra={
            "role_arn": "arn:aws:iam::123456789012:role/everfit",
            "region_name": "us-east-1",
            "endpoint_url": s3_endpoint,
            "service_config": {"sts": {"endpoint_url": s3_endpoint}},
        },
    )
    found = credentials(spec, "train", Connections(aws="lake"), {})
    assert found["AWS_SESSION_TOKEN"]
    assert found["AWS_ACCESS_KEY_ID"] not in ("", "AKIALAKE")
    assert found["AWS_SECRET_ACCESS_KEY"] != "secret-of-lake"


def test_a_connection_to_the_ledger_is_a_url_with_what_it_says_of_tls(spec, connection):
    connection(
        "books",
        conn_type="postgres",
        host="db.internal",
        port=5433,
        schema="ledger",
        login="everfit",
        password="p@ss/word?",
        extra={"sslmode": "verify-full", "cursor": "x"},
    )
    found = credentials(spec, "train", Connections(ledger="books"), AROUND)
    assert found["EVERFIT_LEDGER"] == (
        "postgresql+psycopg://everfit:p%40ss%2Fword%3F@db.internal:5433/ledger?sslmode=verify-full"
    )


def test_a_connection_to_mlflow_never_puts_a_password_into_the_address(spec, connection):
    connection(
        "tracking",
        conn_type="http",
        schema="https",
        host="mlflow.internal",
        port=8443,
        login="everfit",
        password="of-mlflow",
    )
    found = credentials(spec, "register", Connections(mlflow="tracking"), AROUND)
    assert found["EVERFIT_MLFLOW"] == "https://mlflow.internal:8443"
    assert found["MLFLOW_TRACKING_USERNAME"] == "everfit"
    assert found["MLFLOW_TRACKING_PASSWORD"] == "of-mlflow"
    assert "MLFLOW_TRACKING_TOKEN" not in found  # it is another's


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("http://mlflow:5000", "http://mlflow:5000"),
        ("https://mlflow/base", "https://mlflow/base"),
        ("https://user:of-mlflow@mlflow/base", "https://mlflow/base"),
        ("mlflow", "http://mlflow"),
    ],
)
def test_the_address_may_be_written_as_airflow_takes_it(spec, connection, host, address):
    connection("tracking", conn_type="http", host=host)
    found = credentials(spec, "register", Connections(mlflow="tracking"), {})
    assert found == {"EVERFIT_MLFLOW": address}


def test_who_signs_gets_the_private_key_and_all_others_the_public_one(spec, connection):
    connection("seal", conn_type="generic", password=PEM)
    named = Connections(signing="seal")
    assert credentials(spec, "register", named, {}) == {"EVERFIT_SIGNING_KEY": PEM}
    for component in ("prepare", "evaluate", "gate", "monitor"):
        assert credentials(spec, component, named, {}) == {"EVERFIT_VERIFY_KEY": PUBLIC}


def test_keys_are_handed_on_as_text_since_a_container_does_not_see_their_files(spec, tmp_path):
    private, old = tmp_path / "signing.pem", tmp_path / "old.pem"
    private.write_text(PEM)
    old.write_text(PUBLIC_PEM)
    around = {"EVERFIT_SIGNING_KEY": str(private), "EVERFIT_VERIFY_KEY": str(old)}
    signs = credentials(spec, "register", Connections(), around)
    assert signs == {"EVERFIT_SIGNING_KEY": PEM, "EVERFIT_VERIFY_KEY": PUBLIC_PEM}
    looks = credentials(spec, "gate", Connections(), around)
    assert looks == {"EVERFIT_VERIFY_KEY": f"{PUBLIC_PEM}\n{PUBLIC}"}


def test_old_public_keys_may_stand_beside_the_private_one(spec, connection):
    connection(
        "seal", conn_type="generic", password=PEM, extra={"verify_key": "ed25519:" + "A" * 43 + "="}
    )
    found = credentials(spec, "gate", Connections(signing="seal"), {})
    assert found["EVERFIT_VERIFY_KEY"].split() == ["ed25519:" + "A" * 43 + "=", PUBLIC]


def test_what_is_no_key_is_one_line_without_it(spec):
    with pytest.raises(UserActionRequired, match=r"^SIGNING-KEY: .*openssl") as caught:
        credentials(spec, "gate", Connections(), {"EVERFIT_SIGNING_KEY": PEM.replace("M", "!")})
    assert "BEGIN" not in str(caught.value)


def test_a_container_that_signs_must_be_given_the_key():
    with pytest.raises(UserActionRequired, match="SIGNING-KEY register: "):
        require_key("register", {})
    require_key("register", {"EVERFIT_SIGNING_KEY": PEM})
    require_key("train", {})


@pytest.mark.parametrize("purpose", ["aws", "ledger", "mlflow", "signing"])
def test_a_named_connection_that_is_not_there_is_said_by_name(spec, purpose):
    named = Connections.model_validate({purpose: "lost_one"})
    with pytest.raises(
        UserActionRequired, match=rf"^CONNECTION lost_one: .* for {purpose} .*EVERFIT_RUN"
    ):
        credentials(spec, "register", named, AROUND)


@pytest.fixture
def backend(monkeypatch, tmp_path):
    """A secrets backend outside Airflow: a file of connections."""
    path = tmp_path / "connections.json"
    path.write_text(
        json.dumps({"lake": {"conn_type": "aws", "login": "AKIA", "password": "of-backend"}})
    )
    name = "airflow.secrets.local_filesystem.LocalFilesystemBackend"
    monkeypatch.setenv("AIRFLOW__SECRETS__BACKEND", name)
    monkeypatch.setenv(
        "AIRFLOW__SECRETS__BACKEND_KWARGS", json.dumps({"connections_file_path": str(path)})
    )
    clear_secrets_backends_cache()
    yield path
    clear_secrets_backends_cache()


def test_a_secrets_backend_is_asked(spec, backend):
    found = credentials(spec, "train", Connections(aws="lake"), {})
    assert found["AWS_SECRET_ACCESS_KEY"] == "of-backend"


def test_a_backend_that_may_only_be_silent_is_asked_again(spec, backend):
    """Airflow passes over a backend that fails, so that absence and outage look the same."""
    backend.write_text("{")
    with pytest.raises(ComponentFailed, match="CONNECTION lake") as caught:
        credentials(spec, "train", Connections(aws="lake"), {})
    assert not isinstance(caught.value, UserActionRequired)


def test_a_signing_connection_without_a_key_is_said(spec, connection):
    connection("seal", conn_type="generic", login="only")
    with pytest.raises(UserActionRequired, match=r"CONNECTION seal: .* private key"):
        credentials(spec, "register", Connections(signing="seal"), {})


def test_no_connection_of_another_need_is_even_asked_for(spec):
    """A component that reaches no registry works while the registry's connection is broken."""
    assert "registry" not in needs("train")
    assert credentials(spec, "train", Connections(mlflow="lost_one"), {}) == {}


def test_a_missing_connection_of_the_source_is_the_components_to_tell(spec):
    assert "EVERFIT_CONN_TRIPS" not in credentials(spec, "extract", Connections(), {})


def test_a_connection_of_the_source_is_a_url(spec, connection):
    connection(
        "trips",
        conn_type="postgres",
        host="db",
        schema="trips",
        login="reader",
        password="of:trips",
    )
    found = credentials(spec, "extract", Connections(), {})
    assert found == {"EVERFIT_CONN_TRIPS": "postgresql+psycopg://reader:of%3Atrips@db/trips"}


def test_every_secret_is_masked_in_every_shape(spec, connection):
    connection("lake", conn_type="aws", login="AKIALAKE", password="s3/secret+of=lake")
    connection("books", conn_type="postgres", host="db", login="everfit", password="p@ss of books")
    connection("tracking", conn_type="http", host="mlflow", login="e", password="pass-of-mlflow")
    connection("seal", conn_type="generic", password=PEM)
    connection("trips", conn_type="postgres", host="db", login="reader", password="trips&pass")
    named = Connections(aws="lake", ledger="books", mlflow="tracking", signing="seal")
    for component in ("extract", "register"):
        credentials(spec, component, named, {})
    key = PEM.splitlines()[1]
    for shape in (
        "s3/secret+of=lake",
        "s3/secret%2Bof%3Dlake",
        "p@ss of books",
        "p%40ss%20of%20books",
        "pass-of-mlflow",
        "trips&pass",
        "trips%26pass",
        key,
    ):
        shown = redact(f"an error: <{shape}> at the end")
        assert shown == "an error: <***> at the end"


def test_what_stands_in_the_environment_is_masked_too(spec):
    around = {
        **AROUND,
        "AWS_SECRET_ACCESS_KEY": "env-secret-of-aws",
        "EVERFIT_LEDGER": "postgresql+psycopg://u@db/ledger?password=env-in-query",
        "EVERFIT_CONN_TRIPS": "postgresql+psycopg://u:env%2Dof%2Dtrips@db/trips",
    }
    credentials(spec, "extract", Connections(), around)
    for secret in ("env-secret-of-aws", "env-in-query", "env-of-trips"):
        assert redact(f"<{secret}>") == "<***>"


@pytest.mark.parametrize("mark", ["/", "@", ":", "#", "?", "%", "[", "&"])
def test_a_password_that_nobody_encoded_is_masked(spec, mark):
    password = f"raw{mark}pass{mark}of-ledger"
    around = {"EVERFIT_LEDGER": f"postgresql+psycopg://u:{password}@db/ledger"}
    credentials(spec, "train", Connections(), around)
    assert redact(f"<{password}>") == "<***>"


# What a triggerer asks for its lister, by the same reader.

IN_S3 = read_source(uri="s3://lake/*.csv")
IN_A_TABLE = read_source(uri="sql", connection="trips", query="SELECT 1 AS t", watermark="t")


def for_look(source, named=None, environ=None):
    return asyncio.run(for_lister(source, named or Connections(), environ or {}))


def test_a_look_at_a_table_is_as_encrypted_as_its_training(spec, connection):
    extra = {"sslmode": "verify-full", "sslrootcert": "/ca.pem", "log_cursor": True}
    about = {"host": "db", "schema": "trips", "login": "reader", "password": "look&pass"}
    connection("trips", conn_type="postgres", extra=extra, **about)
    given = for_look(IN_A_TABLE)["connection"]
    assert given == credentials(spec, "extract", Connections(), {})["EVERFIT_CONN_TRIPS"]
    assert given.endswith("/trips?sslmode=verify-full&sslrootcert=%2Fca.pem")
    assert redact("<look&pass>") == "<***>"


def test_a_tables_connection_of_the_environment_goes_before():
    for environ in ({}, {"EVERFIT_CONN_TRIPS": "sqlite:///x"}):
        assert for_look(IN_A_TABLE, environ=environ) == {"connection": None}


def test_a_look_at_a_bucket_is_as_whom_the_installation_names(spec, connection):
    extra = {"region_name": "eu-central-1", "endpoint_url": "http://lake:9000"}
    connection("lake", conn_type="aws", login="AKIALAKE", password="look-at-lake", extra=extra)
    given = for_look(IN_S3, Connections(aws="lake"))
    assert given["aws"] == credentials(spec, "extract", Connections(aws="lake"), {})
    assert given["aws"]["AWS_ENDPOINT_URL"] == "http://lake:9000"
    assert redact("<look-at-lake>") == "<***>"
    assert for_look(IN_S3) == {}
    assert for_look(read_source(uri="/data/*.csv"), Connections(aws="lake")) == {}


def test_a_look_as_nobody_is_not_taken():
    with pytest.raises(UserActionRequired, match=r"CONNECTION lost_one: .* must exist"):
        for_look(IN_S3, Connections(aws="lost_one"))


def test_a_roles_keys_are_kept_for_a_while(connection, monkeypatch):
    asked = []
    monkeypatch.setattr(reader, "_assumed", lambda name: asked.append(name) or ("A", "s", "t"))
    monkeypatch.setattr(reader, "_roles", {})
    named = Connections(aws="lake")
    for arn in ("arn:1", "arn:1", "arn:2"):
        connection("lake", conn_type="aws", extra={"role_arn": arn})
        assert for_look(IN_S3, named)["aws"]["AWS_SESSION_TOKEN"] == "t"
    assert asked == ["lake", "lake"]
    monkeypatch.setattr(reader, "ROLE_KEPT", -1.0)
    connection("lake", conn_type="aws", extra={"role_arn": "arn:3"})
    for _ in range(2):
        for_look(IN_S3, named)
    assert len(asked) == 4
