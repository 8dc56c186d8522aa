"""A source is of one kind, each kind has its own fields, and a kind is one file."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import everfit
from everfit.contracts.errors import SourceError, SpecError
from everfit.contracts.spec.load import load_spec
from everfit.contracts.spec.source import kind_of, read_source
from everfit.data.sources import list_spans, source_type, source_types
from everfit.data.sources.s3 import S3Source
from tests.world import QUICK

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "sources.md"
SQL = {"connection": "db", "query": "SELECT * FROM t", "watermark": "at"}


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"uri": "{data}/trips/*.csv"}, "files"),
        ({"uri": "file:///data/a.csv"}, "files"),
        ({"uri": "s3://bucket/prefix"}, "s3"),
        ({"uri": "https://host/a.csv"}, "https"),
        ({"uri": "http://host/a.csv"}, "https"),
        ({"uri": "sql", **SQL}, "sql"),
        (SQL, "sql"),
        ({"kind": "sql", **SQL}, "sql"),
        ({"uri": "shelf://one", "options": {"folder": "/x"}}, "shelf"),
        ({"kind": "shelf", "uri": "one"}, "shelf"),
    ],
)
def test_the_kind_follows_from_the_address_or_the_query(fields, kind):
    source = read_source(**fields)
    assert source.kind == kind
    # What went through JSON, with or without its defaults, is the same source.
    assert read_source(**source.model_dump(mode="json", exclude_defaults=True)) == source
    assert read_source(**source.model_dump(mode="json")) == source
    assert kind_of(source) in (kind, "own")


def problems(tmp_path: Path, source: dict[str, object]) -> list[str]:
    path = tmp_path / "quick.yaml"
    path.write_text(yaml.safe_dump({**QUICK, "source": source}))
    with pytest.raises(SpecError) as caught:
        load_spec(path)
    return list(caught.value.problems)


@pytest.mark.parametrize(
    ("source", "told"),
    [
        (
            {"uri": "https://h/a.csv", "queue": "https://sqs.x/1/q"},
            "source.queue: is no field of a https source; it belongs to s3",
        ),
        (
            {"uri": "{data}/a", "query": "SELECT 1"},
            "source.query: is no field of a files source; it belongs to sql",
        ),
        (
            {"uri": "{data}/a", "perod": "%Y"},
            "source.perod: is no field here; did you mean 'period'?",
        ),
        (
            {"uri": "s3://b/a", "complete": {"markr": "_SUCCESS"}},
            "source.complete.markr: is no field here; did you mean 'marker'?",
        ),
        ({"query": "SELECT 1", "connection": "db"}, "source.watermark: is required"),
        ({"format": "csv"}, "source.uri: is required"),
    ],
)
def test_a_mistake_is_named_with_its_path_and_never_with_the_kind(tmp_path, source, told):
    assert told in problems(tmp_path, source)


def test_a_kind_that_nobody_installed_is_named_with_what_is_near(settings):
    with pytest.raises(SourceError, match=r"SOURCE-KIND .*it is 'htps'; did you mean 'https'\?"):
        list_spans(read_source(uri="htps://host/x.csv"), settings)
    with pytest.raises(SourceError, match=r"SOURCE-KIND .*files, https, s3, sql; it is 'ftp'\."):
        list_spans(read_source(uri="ftp://host/x.csv"), settings)
    with pytest.raises(SourceError, match="SOURCE-KIND"):
        source_type("periods")  # a module of the package, and no source type


def test_the_source_types_are_found_and_not_listed_by_hand():
    assert set(source_types()) == {"files", "https", "s3", "sql"}
    assert source_type("s3") is S3Source


def test_the_recipe_of_the_docs_adds_a_source_type_by_one_file(tmp_path):
    """In a scratch copy of the package, which is given one file more."""
    package = tmp_path / "everfit"
    shutil.copytree(
        Path(everfit.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__")
    )
    recipe = re.search(
        r"```python\n(# pipeline_components/everfit/data/sources/shelf\.py.*?)```",
        PAGE.read_text(),
        re.S,
    )
    (package / "data" / "sources" / "shelf.py").write_text(recipe[1])
    (tmp_path / "shelf").mkdir()
    (tmp_path / "shelf" / "2024-01.csv").write_text("a\n1\n")
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from everfit.contracts.settings import Settings\n"
            "from everfit.contracts.spec.source import read_source\n"
            "from everfit.data.sources import list_spans\n"
            "source = read_source(uri='shelf://x', options={'folder': 'shelf'})\n"
            "print([ref.name for ref in list_spans(source, Settings.from_environment()).spans])",
        ],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path), "PYTHONSAFEPATH": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "['2024-01.csv']\n", done.stderr
