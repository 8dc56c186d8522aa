"""``{data}`` in S3: one spec, the same spans, digests and run key as from a folder."""

from __future__ import annotations

from pathlib import Path

import boto3
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from everfit.contracts.errors import SourceError
from everfit.contracts.settings import Settings
from everfit.contracts.spec.source import read_source
from everfit.data.sources import list_spans, open_source
from everfit.data.sources.data_folder import s3_prefix, with_data

TREE = (
    "m/2018-01.csv",
    "m/2018-02.csv",
    "m/2018-10.csv",
    "m/deep/er/2018-03.csv",
    "m/deep/2018-04.csv",
    "m/_hidden.csv",
    "m/.dot.csv",
    "m/half.csv.part",
    "m/x.tmp/2018-05.csv",
    "m/readme.txt",
    "m2/2019-01.csv",
    "m/a[1].csv",
    "one.parquet",
    "_one.csv",
)
URIS = (
    "{data}/m/*.csv",
    "{data}/m/**/*.csv",
    "{data}/m/**",
    "{data}/m",
    "{data}/m/",
    "{data}",
    "{data}/*/2018-0?.csv",
    "{data}/m/2018-[01]*.csv",
    "{data}/m/2018-02.csv",
    "{data}//m/./*.csv",
    "{data}/m/a[[]1].csv",
    "{data}/_one.csv",
    "{data}/m/readme.txt",
    "{data}/m/deep/*/*",
    "{data}/m/*/",
    "{data}/**/2018-0*.csv",
)


@pytest.fixture
def bucketed(settings: Settings, bucket: str) -> Settings:
    """The same machine with its data in a bucket."""
    place = f"s3://{bucket}/some/where/"
    return Settings.from_environment({"EVERFIT_ROOT": str(settings.root), "EVERFIT_DATA": place})


def copy_to_bucket(folder: Path, settings: Settings) -> None:
    bucket, _, prefix = s3_prefix(str(settings.data)).removeprefix("s3://").partition("/")
    client = boto3.client("s3")
    for path in folder.rglob("*"):
        if path.is_file():
            key = f"{prefix}/{path.relative_to(folder).as_posix()}"
            client.put_object(Bucket=bucket, Key=key, Body=path.read_bytes())
    client.close()


@pytest.fixture
def both(settings: Settings, bucketed: Settings) -> tuple[Settings, Settings]:
    """The same files in a folder and in a bucket."""
    assert isinstance(settings.data, Path)
    for name in TREE:
        path = settings.data / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"x\n{name}\n")
    copy_to_bucket(settings.data, bucketed)
    return settings, bucketed


@pytest.mark.parametrize("uri", URIS)
def test_a_uri_names_the_same_spans_in_a_folder_and_in_a_bucket(both, uri, tmp_path):
    source = read_source(uri=uri)
    here, there = (list_spans(source, each).spans for each in both)
    assert [ref.name for ref in here] == [ref.name for ref in there] != []
    assert [ref.size for ref in here] == [ref.size for ref in there]
    for mine, other in zip(here, there, strict=True):
        fetched = [
            open_source(source, each).fetch(ref, tmp_path, lambda share: None).path.read_bytes()
            for each, ref in zip(both, (mine, other), strict=True)
        ]
        assert fetched[0] == fetched[1]


@hypothesis_settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(
        st.sampled_from(["m", "m2", "*", "**", "deep", "2018-0?.csv", "*.csv", "[!m]*", "x.tmp"]),
        min_size=1,
        max_size=4,
    )
)
def test_any_glob_names_the_same_spans_in_both(both, parts):
    source = read_source(uri="/".join(("{data}", *parts)))
    try:
        here = list_spans(source, both[0]).spans
    except SourceError as error:
        assert error.code == "SOURCE-MISSING"
        here = ()
    assert [ref.name for ref in here] == [ref.name for ref in list_spans(source, both[1]).spans]


@pytest.mark.parametrize(
    ("uri", "code", "said"),
    [
        ("old{data}/m", "SOURCE-PATH", "all of the first folder"),
        ("file://{data}/m", "SOURCE-PATH", "all of the first folder"),
        ("{data}m/*.csv", "SOURCE-PATH", "all of the first folder"),
        ("{data}/../m", "SOURCE-PATH", "no .."),
        ("{data}/*/../m", "SOURCE-PATH", "no .."),
        ("{data}/{month}.csv", "SOURCE-PLACEHOLDER", "{month}"),
    ],
)
def test_what_makes_no_address_is_said(bucketed, uri, code, said):
    with pytest.raises(SourceError) as error:
        list_spans(read_source(uri=uri), bucketed)
    assert error.value.code == code and said in error.value.line


@pytest.mark.parametrize(
    "data", ["s3://", "s3:///x", "s3://b//x", "s3://b/*", "s3://b/a[1]", "s3://k:correct-horse@b"]
)
def test_a_data_folder_that_is_no_address_is_said_without_showing_it(settings, data):
    told = Settings.from_environment({"EVERFIT_ROOT": str(settings.root), "EVERFIT_DATA": data})
    with pytest.raises(SourceError, match="SOURCE-DATA EVERFIT_DATA") as error:
        list_spans(read_source(uri="{data}/m"), told)
    assert "correct-horse" not in error.value.line


def test_what_does_not_name_the_data_folder_is_left_alone(bucketed):
    for uri in ("s3://b/{data}/x", "https://h/{data}.csv", "data/m/*.csv", "/abs/m"):
        source = read_source(uri=uri)
        assert with_data(source, bucketed) is source


def test_a_bucket_that_is_not_there_is_named_with_the_setting(bucketed, s3_environment):
    told = bucketed.model_copy(update={"data": "s3://no-such-bucket/data"})
    with pytest.raises(SourceError, match=r"SOURCE-MISSING s3://no-such-bucket/data/m.*EVERFIT_D"):
        list_spans(read_source(uri="{data}/m/*.csv"), told)
