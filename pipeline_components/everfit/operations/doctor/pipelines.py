"""The pipelines' specs, and the credentials that they and the places ask for: names, no values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from everfit.contracts.errors import EverfitError, SpecError, shortlist
from everfit.contracts.settings import Settings
from everfit.contracts.spec.load import load_spec, spec_paths
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.contracts.wording import count
from everfit.operations.doctor.finding import Finding, fails, ok, warning

KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
CHAIN = ("AWS_PROFILE", "AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_*")
LOGIN = ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD")
TOKEN = "MLFLOW_TRACKING_TOKEN"  # noqa: S105 (a name)


def specs(settings: Settings) -> Finding:
    """How many there are, and which are broken."""
    paths = spec_paths(settings.pipelines)
    broken = {}
    for path in paths:
        try:
            load_spec(path)
        except SpecError as error:
            broken[path.stem] = error.located
    if not paths:
        return warning(
            "pipelines",
            f"none in {settings.pipelines}",
            "Begin one with everfit init, or try everfit demo; or set EVERFIT_PIPELINES",
        )
    if broken:
        first = [problems[0] for problems in broken.values()]
        return fails(
            "pipelines",
            f"{len(broken)} of {count(len(paths), 'spec')} broken: {shortlist(first, sep='; ')}",
            f"Run everfit check {' '.join(list(broken)[:5])}",
        )
    names = shortlist(path.stem for path in paths)
    return ok("pipelines", f"{count(len(paths), 'spec')}, all sound: {names}")


def credentials(settings: Settings, environ: Mapping[str, str]) -> Finding:
    """Which variables of those that are needed are set; nobody learns what they hold."""
    needed = list(dict.fromkeys(_needed(settings)))
    if not needed:
        return ok("credentials", "none are needed: everything is a local file")
    here = [name for name in needed if environ.get(name)]
    missing = [name for name in needed if name not in here]
    said = [f"set: {', '.join(here)}"] if here else []
    if _chained(environ) and set(missing) & set(KEYS):
        missing = [name for name in missing if name not in KEYS]
        said.append("AWS by profile or role")
    if environ.get(TOKEN) and set(missing) & set(LOGIN):
        missing = [name for name in missing if name not in LOGIN]
        said.append(f"set: {TOKEN}")
    if not missing:
        return ok("credentials", "; ".join(said))
    return warning(
        "credentials",
        "; ".join([*said, f"not set: {', '.join(missing)}"]),
        "Set what this process needs; Airflow's tasks get theirs from its connections "
        "(docs/reference/settings.md)",
    )


def _needed(settings: Settings) -> Iterator[str]:
    places = [settings.store, str(settings.data)]
    for spec in _sound(settings):
        for source in spec.sources:
            if name := source.connection_name:
                yield f"EVERFIT_CONN_{name.upper()}"
            places.append(str(getattr(source, "uri", "")))
    if any(place.startswith("s3://") for place in places):
        yield from KEYS
    if settings.mlflow.startswith(("http://", "https://")):
        host = urlsplit(settings.mlflow).hostname or ""
        if host not in ("localhost", "127.0.0.1", "::1"):
            yield from LOGIN


def _sound(settings: Settings) -> Iterator[PipelineSpec]:
    for path in spec_paths(settings.pipelines):
        try:
            yield load_spec(path)
        except EverfitError:  # the specs' own check tells
            continue


def _chained(environ: Mapping[str, str]) -> bool:
    return any(
        environ.get(name)
        for name in environ
        for known in CHAIN
        if name.startswith(known.rstrip("*"))
    )
