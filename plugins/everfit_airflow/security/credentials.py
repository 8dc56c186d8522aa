"""What one component is trusted with: the secrets of what it reaches, and of nothing else.

They come from Airflow connections, of whatever secrets backend, where ``EVERFIT_RUNNERS`` names
them, else from Airflow's own environment. Whatever is handed on is masked in the task's log.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from airflow.sdk import Connection
from airflow.sdk.exceptions import (
    AirflowException,
    AirflowNotFoundException,
    AirflowSecretsBackendAccessDenied,
)
from airflow.sdk.log import mask_secret

from everfit.contracts.aws_identity import as_said
from everfit.contracts.messages.steps import Component
from everfit.contracts.runners import SIGNERS, Connections, Need, needs
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.contracts.spec.source import SourceSpec
from everfit_airflow.operators.failures import ComponentFailed, UserActionRequired
from everfit_airflow.security.child_environment import connection_url, variable_of
from everfit_airflow.security.signing_keys import signing_keys

CREDENTIALS: dict[Need, re.Pattern[str]] = {
    "store": re.compile(r"AWS_\w+|EVERFIT_LEDGER|EVERFIT_VERIFY_KEY"),
    "registry": re.compile(r"MLFLOW_TRACKING_\w+|MLFLOW_S3_\w+|EVERFIT_MLFLOW"),
    "source": re.compile(r"EVERFIT_CONN_\w+"),
}
"""The variables of each need. A component gets them from ``credentials`` alone."""

SECRET = re.compile(
    r"AWS_(SECRET_ACCESS_KEY|SESSION_TOKEN|SECURITY_TOKEN|CONTAINER_AUTHORIZATION_TOKEN)|"
    r"MLFLOW_TRACKING_(PASSWORD|TOKEN)|EVERFIT_SIGNING_KEY"
)
"""The variables that are secret as a whole; of URLs, the password is."""

PASSWORD = re.compile(r"pass|pwd|token|secret", re.IGNORECASE)
"""Parameters of a URL that hold one."""

BEFORE_HOST = (
    re.compile(r"[\w+.-]+://[^:/@]*:([^@]*)@"),
    re.compile(r"[\w+.-]+://[^:/@]*:(.*)@"),  # where the password itself holds an @
)

POSTGRES = (
    "sslmode",
    "sslcert",
    "sslkey",
    "sslrootcert",
    "sslcrl",
    "channel_binding",
    "gssencmode",
    "target_session_attrs",
    "connect_timeout",
    "keepalives",
    "keepalives_idle",
    "keepalives_interval",
    "keepalives_count",
    "tcp_user_timeout",
    "application_name",
    "options",
)
"""Extra fields of a postgres connection that libpq knows; the provider has others of its own."""


ROLE_KEPT = 600.0
"""Seconds that a role's keys are used for looking at sources; they live for 900 at least."""

_roles: dict[tuple[Any, ...], tuple[float, dict[str, str]]] = {}


def is_credential(variable: str) -> bool:
    """Whether a variable is handed to a component by what it reaches, and never otherwise."""
    return variable == "EVERFIT_SIGNING_KEY" or any(
        names.fullmatch(variable) for names in CREDENTIALS.values()
    )


def credentials(
    spec: PipelineSpec, component: Component, connections: Connections, environ: Mapping[str, str]
) -> dict[str, str]:
    """The secret variables one component gets.

    Parameters
    ----------
    spec : PipelineSpec
        Its source may name a connection, and so may what is scored and where predictions go.
    component : str
        What it reaches decides; see ``contracts.runners.NEEDS``.
    connections : Connections
        Names of Airflow connections, of the installation's settings.
    environ : mapping
        Airflow's own environment; counts where no connection is named.

    Raises
    ------
    UserActionRequired
        If a connection that is named does not exist, may not be read or lacks what it is for.
    ComponentFailed
        If it was not found, and a secrets backend that did not answer might be why.
    """
    found: dict[str, str] = {}
    reached = needs(component)
    for need in reached:
        names = CREDENTIALS[need]
        if need != "source":
            found |= {name: value for name, value in environ.items() if names.fullmatch(name)}
    if "store" in reached:
        found = _aws(connections.aws, found) | _ledger(connections.ledger)
    if "source" in reached:
        for name in spec.connections_of(component):
            found |= _source(name, environ)
    if "registry" in reached:
        found = _mlflow(connections.mlflow, found)
    found = _keys(connections.signing, found, environ, signs=component in SIGNERS)
    mask(found)
    return found


def mask(variables: Mapping[str, str]) -> None:
    """Keep every secret among the variables out of what Airflow shows."""
    for name, value in variables.items():
        if SECRET.fullmatch(name):
            hide(value)
        elif "://" in value and (passwords := passwords_in(value)):
            hide(value)
            for password in passwords:
                hide(password)


def passwords_in(url: str) -> list[str]:
    """What of a URL is secret: the password before the host, and those among its parameters.

    Read as SQLAlchemy reads it, which takes a password that nobody encoded.
    """
    said = [found[1] for form in BEFORE_HOST if (found := form.match(url))]
    with suppress(ValueError):  # nothing could be reached at it
        said += [value for name, value in parse_qsl(urlsplit(url).query) if PASSWORD.search(name)]
    return [password for password in dict.fromkeys(said) if password]


def hide(secret: str) -> None:
    """Mask a secret in every shape in which something may show it."""
    plain = unquote(secret)
    for shape in dict.fromkeys((secret, plain, quote(plain), quote(plain, safe=""))):
        mask_secret(shape)
    for line in secret.splitlines():  # of a key in PEM, which a log would show line by line
        if len(line) > 16 and not line.startswith("-----"):
            mask_secret(line)


async def for_lister(
    source: SourceSpec, connections: Connections, environ: Mapping[str, str]
) -> dict[str, Any]:
    """What a lister needs to look at a source, asked for without holding up the triggerer.

    It goes to the lister with the request, and is kept and logged nowhere.

    Parameters
    ----------
    source : SourceSpec
        It may name a connection.
    connections : Connections
        Names of Airflow connections, of the installation's settings.
    environ : mapping
        The triggerer's environment; its ``EVERFIT_CONN_*`` go before a connection of that name.

    Returns
    -------
    dict
        ``connection``: the URL of a source's database, None where the environment has it, or
        nobody: the lister then says so. ``aws``: variables of the connection named for AWS.

    Raises
    ------
    UserActionRequired, ComponentFailed
        As ``credentials`` does.
    """
    given: dict[str, Any] = {}
    if (name := source.connection_name) is not None:
        given["connection"] = None
        if variable_of(name) not in environ:
            with suppress(AirflowException):
                given["connection"] = _url_of_source(await Connection.async_get(name))
    if connections.aws is not None and source.kind not in ("files", "https", "sql"):
        with _readable(connections.aws, "aws"):
            found = await Connection.async_get(connections.aws)
        given["aws"] = await asyncio.to_thread(_said_for_a_while, _hidden(found))
        mask(given["aws"])
    return given


def _said_for_a_while(connection: Any) -> dict[str, str]:
    """As below; the keys of a role are asked for anew before they can end."""
    if not connection.extra_dejson.get("role_arn"):
        return _said_of_aws(connection)
    what = (connection.conn_id, connection.login, connection.password, connection.extra)
    until, said = _roles.get(what, (0.0, {}))
    if time.monotonic() > until:
        said = _said_of_aws(connection)
        _roles.clear()
        _roles[what] = (time.monotonic() + ROLE_KEPT, said)
    return said


def _aws(name: str | None, around: Mapping[str, str]) -> dict[str, str]:
    """The store's; a connection with keys of its own takes the place of the usual chain."""
    if name is None:
        return dict(around)
    return as_said(around, _said_of_aws(_connection(name, "aws")))


def _said_of_aws(connection: Any) -> dict[str, str]:
    """The variables that say what a connection says."""
    extra = connection.extra_dejson
    key = connection.login or extra.get("aws_access_key_id")
    secret = connection.password or extra.get("aws_secret_access_key")
    token = extra.get("aws_session_token")
    if extra.get("role_arn"):
        key, secret, token = _assumed(connection.conn_id)
    region = extra.get("region_name") or extra.get("region")
    said = {
        "AWS_ACCESS_KEY_ID": key,
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_SESSION_TOKEN": token,
        "AWS_PROFILE": extra.get("profile_name"),
        "AWS_ENDPOINT_URL": extra.get("endpoint_url"),
        "AWS_ENDPOINT_URL_S3": _of_service(extra, "s3").get("endpoint_url"),
        "AWS_DEFAULT_REGION": region,
        "AWS_REGION": region,
    }
    if isinstance(verify := extra.get("verify"), str):
        said["AWS_CA_BUNDLE"] = verify
    return {variable: str(value) for variable, value in said.items() if value}


def _of_service(extra: Mapping[str, Any], service: str) -> Mapping[str, Any]:
    found = (extra.get("service_config") or {}).get(service)
    return found if isinstance(found, dict) else {}


def _assumed(name: str) -> tuple[str, str, str | None]:
    """The keys of the role that a connection names, for as long as it lets them live."""
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook

    keys = S3Hook(aws_conn_id=name).get_credentials()
    return keys.access_key, keys.secret_key, keys.token


def _ledger(name: str | None) -> dict[str, str]:
    if name is None:
        return {}
    return {"EVERFIT_LEDGER": database_url(_connection(name, "ledger"))}


def _source(name: str, environ: Mapping[str, str]) -> dict[str, str]:
    """A table's; where it is missing, the component says so, and how to give it."""
    variable = variable_of(name)
    if variable in environ:
        return {variable: environ[variable]}
    try:
        found = Connection.get(name)
    except AirflowException:
        return {}
    return {variable: _url_of_source(found)}


def _url_of_source(connection: Any) -> str:
    """A table's connection as a URL, its password masked."""
    return database_url(_hidden(connection))


def _mlflow(name: str | None, around: Mapping[str, str]) -> dict[str, str]:
    """The registry's: the address without credentials, which MLflow takes from variables."""
    if name is None:
        return dict(around)
    connection = _connection(name, "mlflow")
    given = {
        "MLFLOW_TRACKING_USERNAME": connection.login,
        "MLFLOW_TRACKING_PASSWORD": connection.password,
        "EVERFIT_MLFLOW": _address(connection),
    }
    # A token of the environment would be somebody else's.
    kept = {k: v for k, v in around.items() if not connection.login or k != "MLFLOW_TRACKING_TOKEN"}
    return kept | {variable: value for variable, value in given.items() if value}


def _address(connection: Any) -> str | None:
    """The address an http connection names, as Airflow's own hook builds it; None without one."""
    host = connection.host or ""
    if not host:
        return None
    if "://" not in host:
        host = f"{connection.schema or 'http'}://{host}"
    scheme, _, rest = host.partition("://")
    place, slash, path = rest.rpartition("@")[2].partition("/")
    if connection.port and ":" not in place:
        place += f":{connection.port}"
    return f"{scheme}://{place}{slash}{path}"


def _keys(
    name: str | None, found: Mapping[str, str], environ: Mapping[str, str], *, signs: bool
) -> dict[str, str]:
    """The private key for who signs; for all others, the public one it is verified with."""
    private, known = environ.get("EVERFIT_SIGNING_KEY", ""), environ.get("EVERFIT_VERIFY_KEY", "")
    if name is not None:
        connection = _connection(name, "signing")
        private = connection.password or ""
        known = connection.extra_dejson.get("verify_key") or known
        if not private:
            raise UserActionRequired(
                f"CONNECTION {name}: the connection named for signing holds the private key as "
                "its password; it has none. Set it to an Ed25519 key in PEM."
            )
        hide(private)
    return {**found, **signing_keys(private, known, signs=signs)}


def database_url(connection: Any) -> str:
    """A connection as a SQLAlchemy URL, with what it says of TLS; holds the password."""
    url = connection_url(
        connection.conn_type,
        connection.login,
        connection.password,
        connection.host,
        connection.port,
        connection.schema,
    )
    if not url.startswith("postgresql"):
        return url
    extra = connection.extra_dejson
    query = {name: str(extra[name]) for name in POSTGRES if extra.get(name) not in (None, "")}
    return f"{url}?{urlencode(query)}" if query else url


def _connection(name: str, purpose: str) -> Any:
    """A connection that the installation's settings name."""
    with _readable(name, purpose):
        return _hidden(Connection.get(name))


def _hidden(connection: Any) -> Any:
    if connection.password:
        hide(connection.password)
    return connection


@contextmanager
def _readable(name: str, purpose: str) -> Iterator[None]:
    """Say what is wrong with a connection that the installation's settings name."""
    try:
        yield
    except AirflowSecretsBackendAccessDenied:
        raise UserActionRequired(
            f"CONNECTION {name}: the connection named for {purpose} must be readable; the secrets "
            "backend refuses it. Allow this worker to read it."
        ) from None
    except AirflowNotFoundException:
        raise _missing()(
            f"CONNECTION {name}: the connection named for {purpose} in EVERFIT_RUNNERS must exist; "
            "Airflow has none of that name. Add it (airflow connections add, or the secrets "
            "backend), or take the name out."
        ) from None
    except AirflowException as error:
        raise ComponentFailed(
            f"CONNECTION {name}: the connection named for {purpose} must be readable; "
            f"{type(error).__name__} at Airflow's API. It is tried again."
        ) from None


def _missing() -> Callable[[str], ComponentFailed]:
    """Airflow passes a backend that does not answer over: then another try may find it."""
    from airflow.sdk.configuration import conf

    backends = (("secrets", "backend"), ("workers", "secrets_backend"))
    outside = any(conf.get(section, name, fallback="") for section, name in backends)
    return ComponentFailed if outside else UserActionRequired
