"""Which pipelines a change concerns: by the files that differ from where it branched off."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import yaml

from everfit.contracts.errors import EverfitError, UserError
from everfit.contracts.spec.load import SCHEMA_SUFFIX, load_spec, spec_paths
from everfit.contracts.spec.pipeline import PipelineSpec

OF_ALL = ("requirements/components.txt",)
"""Files besides the components' code that every model depends on."""


def changed_files(root: Path, base: str) -> list[str]:
    """Files that differ from where this branch left ``base``: committed, edited, new or gone.

    Parameters
    ----------
    root : Path
        The top of the checkout.
    base : str
        A branch, tag or commit.

    Raises
    ------
    UserError
        If this is no git checkout, or it holds no such commit.
    """
    start = merge_base(root, base)
    differ = git(root, "diff", "--name-only", "--no-renames", "-z", start, "--")
    new = git(root, "ls-files", "--others", "--exclude-standard", "-z")
    return sorted({name for name in (differ + new).split("\0") if name})


def merge_base(root: Path, base: str) -> str:
    """The commit at which this branch left ``base``.

    Raises
    ------
    UserError
        If there is none.
    """
    if base.startswith("-"):
        raise _no_base(base, "it begins with -")
    return git(root, "merge-base", base, "HEAD").strip()


def pipelines_of(
    files: Iterable[str], folder: str, specs: Mapping[str, PipelineSpec | None]
) -> dict[str, str]:
    """Name each pipeline that a change concerns, with one of the files it does so by.

    Parameters
    ----------
    files : iterable of str
        Paths in the checkout, as git writes them.
    folder : str
        Of the specs, as git writes it: ``dags/pipelines``.
    specs : mapping
        Name → spec; None where it cannot be read.

    Returns
    -------
    dict
        Sorted by name. A pipeline whose YAML is gone is none any more.
    """
    found: dict[str, str] = {}
    for file in sorted(files):
        if _concerns_all(file):
            found |= {name: file for name in specs if name not in found}
            continue
        place, _, last = file.rpartition("/")
        if place == folder and last.endswith(".yaml"):
            name = last.removesuffix(SCHEMA_SUFFIX).removesuffix(".yaml")
            if name in specs:
                found.setdefault(name, file)
        elif file.endswith(".py"):
            for name, spec in specs.items():
                if spec is not None and any(_is_of(file, path) for path in own_code(spec)):
                    found.setdefault(name, file)
    return dict(sorted(found.items()))


def own_code(spec: PipelineSpec) -> list[str]:
    """Import paths of the code of the user's that a spec names."""
    estimators = [family.estimator for family in spec.train.families if family.estimator]
    return [*spec.gate.checks, *estimators]


def changed_pipelines(root: Path, pipelines: Path, base: str) -> dict[str, str]:
    """Pipelines of a checkout that changed since it left ``base``, each with a file that did.

    Raises
    ------
    UserError
        If git cannot tell.
    """
    specs: dict[str, PipelineSpec | None] = {}
    for path in spec_paths(pipelines):
        try:
            specs[path.stem] = load_spec(path)
        except EverfitError:
            specs[path.stem] = None  # named all the same: running it says what is wrong
    top = top_of(root)
    return pipelines_of(changed_files(top, base), within(pipelines, top), specs)


def spec_at(root: Path, pipelines: Path, name: str, base: str) -> PipelineSpec | None:
    """A pipeline's spec as it was where this branch left ``base``; None: there was none to use."""
    import tempfile

    top = top_of(root)
    start = merge_base(top, base)
    with tempfile.TemporaryDirectory(prefix="everfit-base-") as scratch:
        for file in (f"{name}.yaml", f"{name}{SCHEMA_SUFFIX}"):
            path = f"{within(pipelines, top)}/{file}"
            if git(top, "ls-tree", "--name-only", start, "--", path):
                (Path(scratch) / file).write_text(git(top, "show", f"{start}:{path}"))
        written = Path(scratch) / f"{name}.yaml"
        try:
            return load_spec(written) if written.exists() else None
        except (EverfitError, yaml.YAMLError):
            return None  # written for another release: nothing to compare with


def top_of(root: Path) -> Path:
    """The top of the checkout that ``root`` is in.

    Raises
    ------
    UserError
        If it is in none.
    """
    return Path(git(root, "rev-parse", "--show-toplevel").rstrip("\n"))


def within(folder: Path, top: Path) -> str:
    """A folder of the checkout, as git writes it.

    Raises
    ------
    UserError
        If it lies elsewhere.
    """
    try:
        return folder.resolve().relative_to(top.resolve()).as_posix()
    except ValueError:
        raise UserError(
            "CHANGED-FOLDER",
            str(folder),
            "the pipelines must be in the git checkout",
            f"that is {top}",
            "Set EVERFIT_PIPELINES to its folder of pipelines",
        ) from None


def git(root: Path, *words: str) -> str:
    """What git says.

    Raises
    ------
    UserError
        If it fails.
    """
    try:
        done = subprocess.run(  # noqa: S603 (no shell, and names follow --)
            ["git", "-C", str(root), *words],  # noqa: S607
            capture_output=True,
            check=True,
        )
    except FileNotFoundError:
        raise UserError("CHANGED-GIT", "git", "git must be installed; it is not") from None
    except subprocess.CalledProcessError as error:
        said: Sequence[str] = error.stderr.decode(errors="replace").strip().splitlines()
        if words[0] == "merge-base":
            raise _no_base(words[1], said[-1] if said else "no common commit") from None
        raise UserError("CHANGED-GIT", str(root), "git must answer", " ".join(said)) from None
    return done.stdout.decode(errors="surrogateescape")


def _concerns_all(file: str) -> bool:
    return file in OF_ALL or (
        file.startswith("pipeline_components/everfit/") and file.endswith((".py", ".mako"))
    )


def _is_of(file: str, path: str) -> bool:
    """Whether ``a/b.py`` holds what ``a.b.name`` names, or lies beside it in the package ``a.b``.

    The folder that packages lie in (``src``, say) is not known, so any will do.
    """
    module = path.rpartition(".")[0].replace(".", "/")
    place = file.rpartition("/")[0]
    return f"/{file}".endswith(f"/{module}.py") or f"/{place}".endswith(f"/{module}")


def _no_base(base: str, found: str) -> UserError:
    return UserError(
        "CHANGED-BASE",
        repr(base[:80]),
        "the base must be a branch or commit that git knows here",
        found,
        "Fetch it (git fetch origin main; in CI, with the whole history)",
    )
