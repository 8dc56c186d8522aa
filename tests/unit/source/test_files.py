"""Listing files: names, order, what is passed over, and what is said where nothing is found."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everfit.contracts.errors import SourceError
from everfit.contracts.spec.source import read_source
from everfit.data.sources import SpanRefused, list_spans, open_source
from everfit.data.sources.listing import natural
from everfit.data.sources.s3 import _glob as glob_s3


@pytest.fixture
def plant(settings):
    def plant(*names, content="a\n1\n"):
        for name in names:
            path = settings.data / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)

    return plant


def names(uri, settings, **more):
    listing = list_spans(read_source(uri=uri, **more), settings)
    return [ref.name for ref in listing.spans]


def test_names_are_below_the_fixed_part_and_the_same_on_every_machine(plant, settings):
    plant("trips/2018/b.csv", "trips/2019/a.csv", "trips/c.csv")
    assert names("{data}/trips/*/*.csv", settings) == ["2018/b.csv", "2019/a.csv"]
    assert names("{data}/trips/**/*.csv", settings) == ["2018/b.csv", "2019/a.csv", "c.csv"]
    assert names("data/trips", settings) == ["2018/b.csv", "2019/a.csv", "c.csv"]
    assert names(f"file://{settings.data}/trips/*.csv", settings) == ["c.csv"]
    assert names("{data}/trips/c.csv", settings) == ["c.csv"]
    listing = list_spans(read_source(uri="{data}/trips/*.csv"), settings)
    assert listing.spans[0].location == "{data}/trips/c.csv"


def test_hidden_and_unfinished_files_are_no_spans(plant, settings):
    plant(
        "d/.x.csv",
        "d/_x.csv",
        "d/x.csv.tmp",
        "d/x.csv.part",
        "d/x.csv.crdownload",
        "d/_temporary/x.csv",
        "d/.git/x.csv",
        "d/good.csv",
    )
    assert names("{data}/d/**/*", settings, format="csv") == ["good.csv"]
    assert names("{data}/d", settings) == ["good.csv"]


def test_unknown_suffixes_are_named_not_read(plant, settings):
    plant("d/a.csv", "d/b.txt", "d/c.xlsx")
    listing = list_spans(read_source(uri="{data}/d/*"), settings)
    assert [ref.name for ref in listing.spans] == ["a.csv"]
    assert "b.txt, c.xlsx" in listing.notes[0]
    assert "source.format" in listing.notes[0]


def test_natural_order_and_order_by_period(plant, settings):
    plant("d/part-10.csv", "d/part-9.csv", "d/part-1.csv")
    assert names("{data}/d/*", settings) == ["part-1.csv", "part-9.csv", "part-10.csv"]
    plant("m/Feb2018.csv", "m/Jan2019.csv", "m/Mar2018.csv", "m/readme.csv")
    listing = list_spans(read_source(uri="{data}/m/*.csv", period="%b%Y"), settings)
    assert [ref.name for ref in listing.spans] == ["Feb2018.csv", "Mar2018.csv", "Jan2019.csv"]
    assert listing.spans[0].period_start == "2018-02-01T00:00:00"
    assert listing.spans[0].period_end == "2018-03-01T00:00:00"
    assert listing.notes == ("1 of 4 files does not fit %b%Y: readme.csv",)


@pytest.mark.parametrize(("period", "says"), [("%Y-%m", "none of 1 does"), ("%Q", "%Q")])
def test_a_wrong_period_is_an_error(plant, settings, period, says):
    plant("d/a.csv")
    with pytest.raises(SourceError, match="SOURCE-PERIOD") as error:
        names("{data}/d/*.csv", settings, period=period)
    assert says in error.value.line


def test_a_link_out_of_the_folder_is_not_followed(plant, settings, tmp_path):
    plant("d/a.csv", "other/secret.csv")
    (settings.data / "d" / "b.csv").symlink_to(settings.data / "other" / "secret.csv")
    (settings.data / "d" / "c.csv").symlink_to("a.csv")
    (settings.data / "d" / "e.csv").symlink_to("nowhere.csv")
    (settings.data / "d" / "loop").symlink_to(".")
    listing = list_spans(read_source(uri="{data}/d/**/*.csv"), settings)
    assert [ref.name for ref in listing.spans] == ["a.csv", "c.csv"]
    assert any("b.csv is left out: its link leads outside" in note for note in listing.notes)
    assert any("e.csv is left out: its link leads nowhere" in note for note in listing.notes)


def test_a_missing_folder_asks_did_you_mean(plant, settings):
    plant("nyc_yellow/a.csv")
    with pytest.raises(SourceError) as error:
        names("{data}/nyc_yelow/*.csv", settings)
    assert error.value.exit_code == 2
    assert "Did you mean 'nyc_yellow'?" in error.value.line
    assert "EVERFIT_DATA" in error.value.line
    with pytest.raises(SourceError, match=r"Did you mean 'a\.csv'"):
        names("{data}/nyc_yellow/aa.csv", settings)
    with pytest.raises(SourceError, match=r"only placeholder of a path is \{data\}"):
        names("{month}/a.csv", settings)
    with pytest.raises(SourceError, match=r"no \.\. may follow"):
        names("{data}/*/../a.csv", settings)


def test_an_empty_source_says_what_is_there_instead(plant, settings):
    plant("d/a.parquet")
    listing = list_spans(read_source(uri="{data}/d/*.csv"), settings)
    assert not listing.spans
    assert "the folder holds a.parquet" in listing.empty
    (settings.data / "e").mkdir()
    assert "the folder is empty" in list_spans(read_source(uri="{data}/e"), settings).empty


def test_one_file_by_its_name(plant, settings):
    plant("d/a[1].csv", "d/_b.dat", "d/a1.csv")
    assert names("{data}/d/_b.dat", settings) == ["_b.dat"]
    assert names("{data}/d/a[[]1].csv", settings) == ["a[1].csv"]
    os.mkfifo(settings.data / "d" / "pipe.csv")
    assert names("{data}/d", settings) == ["a1.csv", "a[1].csv"]
    listing = list_spans(read_source(uri="{data}/d/a1.csv", settle=3000), settings)
    assert not listing.spans
    assert "must rest for 3000 s" in listing.notes[0]


def test_young_files_wait(plant, settings):
    plant("d/old.csv", "d/young.csv")
    an_hour_ago = time.time() - 3600
    os.utime(settings.data / "d" / "old.csv", (an_hour_ago, an_hour_ago))
    source = read_source(uri="{data}/d/*.csv", settle=60)
    listing = list_spans(source, settings)
    assert [ref.name for ref in listing.spans] == ["old.csv"]
    assert "young.csv is left out: changed" in listing.notes[0]
    young = list_spans(read_source(uri="{data}/d/*.csv"), settings).spans[1]
    with pytest.raises(SpanRefused) as refused:
        open_source(source, settings).fetch(young, settings.home, print)
    assert refused.value.code == "SPAN-GROWING"
    assert refused.value.retry


def test_what_happens_between_listing_and_reading(plant, settings):
    plant("d/grows.csv", "d/changes.csv", "d/goes.csv")
    source = open_source(read_source(uri="{data}/d/*.csv"), settings)
    changes, goes, grows = source.list().spans
    fetched = source.fetch(changes, settings.home, print)
    fetched.recheck()
    plant("d/grows.csv", content="a\n1\n2\n")
    (settings.data / "d/goes.csv").unlink()
    os.utime(settings.data / "d/changes.csv", ns=(1, 1))
    for ref, code in ((grows, "SPAN-GROWING"), (changes, "SPAN-CHANGED"), (goes, "SPAN-GONE")):
        with pytest.raises(SpanRefused) as refused:
            source.fetch(ref, settings.home, print)
        assert refused.value.code == code
        assert refused.value.retry
    with pytest.raises(SpanRefused):
        fetched.recheck()


def test_a_span_cannot_lead_out_of_its_source(plant, settings):
    plant("d/a.csv", "secret.csv")
    source = open_source(read_source(uri="{data}/d/*.csv"), settings)
    ref = source.list().spans[0].model_copy(update={"name": "../secret.csv"})
    with pytest.raises(SourceError, match="SOURCE-PATH"):
        source.fetch(ref, settings.home, print)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file_stops_with_exit_code_2(plant, settings):
    plant("d/a.csv")
    (settings.data / "d/a.csv").chmod(0)
    source = open_source(read_source(uri="{data}/d/*.csv"), settings)
    with pytest.raises(SourceError, match="SOURCE-UNREADABLE"):
        source.fetch(source.list().spans[0], settings.home, print)


def test_listing_files_imports_nothing_heavy():
    code = (
        "import sys; from everfit.data.sources import list_spans; import"
        " everfit.steps.plan.train_or_skip; heavy = {'numpy', 'pandas', 'pyarrow', 'boto3',"
        " 'sqlalchemy', 'ssl'} & set(sys.modules); assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


@given(st.lists(st.text(st.sampled_from("abc019-_/."), min_size=1), min_size=2, unique=True))
def test_natural_order_is_total(texts):
    backwards = list(reversed(texts))
    assert sorted(backwards, key=natural) == sorted(texts, key=natural)


@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_natural_order_counts(low, high):
    assert (natural(f"p{low}.csv") < natural(f"p{high}.csv")) == (low < high)


@pytest.mark.parametrize(
    ("name", "pattern", "matches"),
    [
        ("a.csv", ("*.csv",), True),
        ("x/a.csv", ("*.csv",), False),
        ("x/a.csv", ("*", "*.csv"), True),
        ("x/y/a.csv", ("**", "*.csv"), True),
        ("a.csv", ("**", "*.csv"), True),
        ("x/y/a.csv", ("**",), True),
        ("x/a.txt", ("**", "*.csv"), False),
    ],
)
def test_globs_over_object_names(name, pattern, matches):
    assert glob_s3(name, pattern) is matches
