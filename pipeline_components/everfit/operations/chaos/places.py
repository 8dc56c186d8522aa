"""Where a copy keeps things: kept at a moment, and put back to it as often as needed.

Of the kinds that the installation uses: a folder, or a prefix of its own in the store's bucket; an
SQLite file, or a schema of its own in the ledger's database. MLflow is a file in the folder: on a
server, models of another name would stay for people to see. Nothing of the installation is written.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from everfit.contracts.base import Digest, digest_bytes
from everfit.contracts.errors import UserError
from everfit.contracts.settings import Settings
from everfit.operations.chaos.seen import objects
from everfit.storage.store import open_store
from everfit.storage.store.base import PROJECTIONS

APPLICATION = "everfit-chaos"
"""How PostgreSQL lists the connections of a copy."""


class Place(Protocol):
    """One thing that outlives processes."""

    def keep(self, name: str) -> None:
        """Remember what it holds."""

    def put_back(self, name: str) -> None:
        """Have it hold that again, whoever was at work on it."""

    def drop(self) -> None:
        """Leave nothing."""


@dataclass(frozen=True)
class Files:
    """A folder, copied; stored blobs get a second name, as they never change."""

    home: Path
    kept: Path

    def keep(self, name: str) -> None:
        """Copy the folder."""
        shutil.copytree(self.home, self.kept / name, copy_function=_copy)

    def put_back(self, name: str) -> None:
        """Copy it back."""
        shutil.rmtree(self.home, ignore_errors=True)
        shutil.copytree(self.kept / name, self.home, copy_function=_copy)

    def drop(self) -> None:
        """Remove both."""
        shutil.rmtree(self.home, ignore_errors=True)
        shutil.rmtree(self.kept, ignore_errors=True)


def _copy(source: str, target: str) -> None:
    if "/store/blobs/" in source:
        os.link(source, target)
    else:
        shutil.copy(source, target)  # with its rights: a key is for its user alone


@dataclass(frozen=True)
class Bucket:
    """A prefix of a bucket; what was ever there is kept in a folder, by its digest."""

    url: str
    kept: Path
    moments: dict[str, dict[str, Digest]] = field(default_factory=dict)
    """Moment → key → digest of its bytes."""

    def keep(self, name: str) -> None:
        """Note the keys, and keep the bytes that are new."""
        self.kept.mkdir(exist_ok=True)
        found = {}
        for key, data in objects(self.url):
            found[key] = digest_bytes(data)
            path = self.kept / found[key]
            if not path.exists():
                path.write_bytes(data)
        self.moments[name] = found

    def put_back(self, name: str) -> None:
        """Remove keys that were made since, make those that were removed, replace boards."""
        store, wanted = open_store(self.url), self.moments[name]
        there = set(store.keys(""))
        for key in there - set(wanted):
            store.remove(key)
        for key, digest in wanted.items():
            if key.startswith(PROJECTIONS):
                store.replace(key, (self.kept / digest).read_bytes())
            elif key not in there:
                store.create(key, (self.kept / digest).read_bytes())

    def drop(self) -> None:
        """Remove every key below the prefix."""
        store = open_store(self.url)
        for key in list(store.keys("")):
            store.remove(key)


@dataclass(frozen=True)
class Schema:
    """A schema of a PostgreSQL database; moments are kept in schemas beside it."""

    url: str
    """Without the copy's own settings."""
    name: str

    def _execute(self, *statements: str) -> list[Any]:
        import psycopg

        rows: list[Any] = []
        with psycopg.connect(self.url.replace("+psycopg", "")) as connection:
            for statement in statements:
                found = connection.execute(statement)
                rows = found.fetchall() if found.description else []
        return rows

    def _tables(self) -> list[str]:
        asked = f"SELECT tablename FROM pg_tables WHERE schemaname = '{self.name}'"  # noqa: S608
        return [name for (name,) in self._execute(asked)]

    def make(self) -> None:
        """Make the schema."""
        self._execute(f'CREATE SCHEMA "{self.name}"')

    def keep(self, name: str) -> None:
        """Copy every table."""
        kept = f"{self.name}_{name}"
        copies = (
            f'CREATE TABLE "{kept}"."{table}" AS TABLE "{self.name}"."{table}"'
            for table in self._tables()
        )
        self._execute(f'CREATE SCHEMA "{kept}"', *copies)

    def put_back(self, name: str) -> None:
        """End what is connected, and fill every table as it was; its triggers would refuse."""
        kept = f"{self.name}_{name}"
        self.disconnect()
        statements = []
        for table in self._tables():
            here = f'"{self.name}"."{table}"'
            statements += [
                f"ALTER TABLE {here} DISABLE TRIGGER USER",
                f"DELETE FROM {here}",  # noqa: S608
                f'INSERT INTO {here} SELECT * FROM "{kept}"."{table}"',  # noqa: S608
                f"ALTER TABLE {here} ENABLE TRIGGER USER",
            ]
        self._execute(*statements)

    def disconnect(self) -> None:
        """End every connection of the copy, as a restart of the server does."""
        self._execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "  # noqa: S608
            f"WHERE application_name = '{APPLICATION}' AND datname = current_database()"
        )

    def drop(self) -> None:
        """Drop the schema and those beside it."""
        self.disconnect()
        found = self._execute(
            "SELECT nspname FROM pg_namespace "  # noqa: S608
            f"WHERE nspname = '{self.name}' OR nspname LIKE '{self.name}\\_%'"
        )
        self._execute(*(f'DROP SCHEMA "{name}" CASCADE' for (name,) in found))


@dataclass(frozen=True)
class Places:
    """All places of a copy."""

    folder: Path
    settings: Settings
    environ: dict[str, str]
    """What a process of the copy has in its environment."""
    parts: tuple[Place, ...]

    def keep(self, name: str) -> None:
        """Remember what they hold."""
        for part in self.parts:
            part.keep(name)

    def put_back(self, name: str) -> None:
        """Have them hold that again."""
        for part in self.parts:
            part.put_back(name)

    def drop(self) -> None:
        """Leave nothing on a server; the folder stays for a person to look at."""
        for part in self.parts:
            if not isinstance(part, Files):
                part.drop()

    @property
    def database(self) -> Schema | None:
        """The ledger's, where it is on a server."""
        return next((part for part in self.parts if isinstance(part, Schema)), None)

    def words(self) -> str:
        """What the copy is on, for the page."""
        store = "S3" if any(isinstance(part, Bucket) for part in self.parts) else "a folder"
        return f"store in {store}, ledger on {'PostgreSQL' if self.database else 'SQLite'}"


def places_of(settings: Settings, folder: Path) -> Places:
    """New places of the kinds that the settings name.

    Raises
    ------
    UserError
        If a schema of its own cannot be made in the ledger's database.
    """
    home = folder / "home"
    home.mkdir()
    parts: list[Place] = [Files(home, folder / "kept")]
    name = f"everfit_chaos_{os.urandom(4).hex()}"
    environ = {
        "EVERFIT_ROOT": str(settings.root),
        "EVERFIT_PIPELINES": str(settings.pipelines),
        "EVERFIT_DATA": str(settings.data),
        "EVERFIT_HOME": str(home),
        "EVERFIT_STORE": (home / "store").as_uri(),
        "EVERFIT_LEDGER": f"sqlite:///{home / 'ledger.db'}",
        "EVERFIT_MLFLOW": f"sqlite:///{home / 'mlflow.db'}",
        "EVERFIT_MLFLOW_PAGE": "",
        "EVERFIT_SIGNING_KEY": "",
        "EVERFIT_VERIFY_KEY": "",
        "EVERFIT_ALLOWED_HOSTS": settings.allowed_hosts,
    }
    if settings.store.startswith("s3://"):
        environ["EVERFIT_STORE"] = f"{settings.store.rstrip('/')}-chaos/{name}"
        parts.append(Bucket(environ["EVERFIT_STORE"], folder / "objects"))
    if settings.ledger.startswith("postgresql"):
        schema = Schema(settings.ledger, name)
        _make(schema)
        joint = "&" if "?" in settings.ledger else "?"
        environ["EVERFIT_LEDGER"] = (
            f"{settings.ledger}{joint}options=-csearch_path%3D{name}&application_name={APPLICATION}"
        )
        parts.append(schema)
    return Places(folder, Settings.from_environment(environ), environ, tuple(parts))


def _make(schema: Schema) -> None:
    import psycopg

    try:
        schema.make()
    except psycopg.Error as error:
        said = " ".join(str(error).split()).split(" DETAIL")[0]
        raise UserError(
            "CHAOS-SCHEMA",
            "the ledger's database",
            "its user must be able to connect and to make a schema",
            type(error).__name__ if "password" in said else said,
            "Grant CREATE on the database, or run it with EVERFIT_LEDGER at a file",
        ) from None
