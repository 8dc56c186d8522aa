"""What lies among the files of a source and is none, or cannot be: left out by name, or refused."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from pathlib import Path

import pytest

from everfit.contracts.errors import SourceError
from everfit.contracts.spec.source import read_source
from everfit.data.sources import list_spans, open_source

HOUR = 3600


@pytest.fixture
def folder(settings):
    folder = settings.data / "d"
    (folder / "m").mkdir(parents=True)
    (folder / "good.csv").write_text("a\n1\n")
    (folder / "m" / "good.csv").write_text("a\n1\n")
    return folder


def loop(path):
    path.symlink_to(path.name)


def dangling(path):
    path.symlink_to("nowhere")


def a_socket(path):
    with contextlib.chdir(path.parent), socket.socket(socket.AF_UNIX) as made:
        made.bind(path.name)  # the address of a socket is short


ODD = {
    "a link to itself": (loop, "its link leads to itself"),
    "a link to nothing": (dangling, "its link leads nowhere"),
    "a link through a file": (lambda path: path.symlink_to("good.csv/x"), "its link leads nowhere"),
    "a pipe": (os.mkfifo, "it is a named pipe"),
    "a socket": (a_socket, "it is a socket"),
    "a device": (lambda path: path.symlink_to("/dev/null"), "it is a device"),
}


@pytest.mark.parametrize("uri", ["{data}/d", "{data}/d/*.csv", "{data}/d/**/*.csv"])
@pytest.mark.parametrize("odd", ODD)
def test_what_is_no_file_is_left_out_by_name_and_blocks_nothing(folder, settings, uri, odd):
    make, why = ODD[odd]
    make(folder / "odd.csv")
    listing = list_spans(read_source(uri=uri), settings)
    assert "good.csv" in [ref.name for ref in listing.spans]
    assert "odd.csv" not in [ref.name for ref in listing.spans]
    assert [note for note in listing.notes if "odd.csv" in note] == [f"odd.csv is left out: {why}"]


@pytest.mark.parametrize("odd", ["a link to itself", "a link to nothing"])
def test_a_broken_link_in_the_place_of_a_folder_is_left_out_by_name(folder, settings, odd):
    make, why = ODD[odd]
    make(folder / "odd")
    listing = list_spans(read_source(uri="{data}/d/*/*.csv"), settings)
    assert [ref.name for ref in listing.spans] == ["m/good.csv"]
    assert listing.notes == (f"odd is left out: {why}",)


def test_a_folder_behind_a_link_is_said_where_it_is_not_followed(folder, settings):
    (folder / "old").symlink_to("m")
    listing = list_spans(read_source(uri="{data}/d"), settings)
    assert [ref.name for ref in listing.spans] == ["good.csv", "m/good.csv"]
    (note,) = listing.notes
    assert note.startswith("old is left out: it is a link to a folder")


@pytest.mark.parametrize("uri", ["{data}/d", "{data}/d/*.csv", "{data}/d/*/*.csv"])
def test_a_name_that_is_no_text_is_left_out_and_shown_by_its_bytes(folder, settings, uri):
    (folder / "caf\udce9.csv").write_text("a\n1\n")
    (folder / "\udcff").mkdir()
    (folder / "\udcff" / "x.csv").write_text("a\n1\n")
    listing = list_spans(read_source(uri=uri), settings)
    assert listing.spans
    said = "\n".join(listing.notes)
    assert said.encode()
    assert (
        "\\xff" if "*/" in uri else "caf\\xe9.csv"
    ) + " is left out: its name is not UTF-8" in said


def test_names_that_are_no_text_are_shown_where_nothing_is_found(folder, settings):
    (folder / "caf\udce9.csv").touch()
    assert "caf\\xe9.csv" in list_spans(read_source(uri="{data}/d/*.parquet"), settings).empty
    with pytest.raises(SourceError) as refused:
        list_spans(read_source(uri="{data}/d/cafe.csv"), settings)
    assert refused.value.line.encode()


@pytest.mark.parametrize("odd", ["a link to itself", "a link to nothing", "a pipe"])
@pytest.mark.parametrize("complete", [{"marker": "odd.txt"}, {"manifest": "odd.txt"}])
def test_a_marker_or_manifest_that_is_no_file_counts_for_nothing(folder, settings, odd, complete):
    ODD[odd][0](folder / "odd.txt")
    listing = list_spans(read_source(uri="{data}/d/*.csv", complete=complete), settings)
    assert not listing.spans
    assert "odd.txt" in "\n".join(listing.notes)


def test_what_a_disk_brings_along_is_no_data(folder, settings):
    (folder / "lost+found").mkdir()
    (folder / "lost+found" / "x.csv").write_text("a\n1\n")
    listing = list_spans(read_source(uri="{data}/d"), settings)
    assert [ref.name for ref in listing.spans] == ["good.csv", "m/good.csv"]


def test_a_folder_that_may_not_be_read_is_refused_by_name(folder, settings, monkeypatch):
    real = os.scandir

    def scandir(path):
        if Path(path).name == "m":
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(SourceError, match=r"SOURCE-UNREADABLE .*/d/m: .*Permission denied"):
        list_spans(read_source(uri="{data}/d"), settings)


def test_a_file_dated_ahead_is_read_and_said(folder, settings, tmp_path):
    ahead = time.time() + 9 * HOUR
    os.utime(folder / "good.csv", (ahead, ahead))
    source = open_source(read_source(uri="{data}/d/*.csv"), settings)
    listing = source.list()
    (ref,) = listing.spans
    (note,) = listing.notes
    assert note.startswith("dated ahead of this machine's clock, and read all the same: good.csv")
    source.fetch(ref, tmp_path, lambda share: None).recheck()


def test_a_file_dated_ahead_that_must_rest_says_when_it_counts(folder, settings):
    ahead = 4_102_444_800  # 2100-01-01
    os.utime(folder / "good.csv", (ahead, ahead))
    listing = list_spans(read_source(uri="{data}/d/*.csv", settle=60), settings)
    assert not listing.spans
    (note,) = listing.notes
    assert note.startswith("good.csv is left out: it is dated 2100-01-01T00:00:00Z, ahead of")
    assert "60 s after that" in note
    assert "touch" in note


def test_a_period_that_has_not_begun_is_said(folder, settings):
    (folder / "2018-01.csv").write_text("a\n1\n")
    (folder / "2918-01.csv").write_text("a\n1\n")
    listing = list_spans(read_source(uri="{data}/d/2*.csv", period="%Y-%m"), settings)
    assert [ref.name for ref in listing.spans] == ["2018-01.csv", "2918-01.csv"]
    (note,) = listing.notes
    assert "has not begun" in note
    assert "2918-01.csv" in note


@pytest.mark.parametrize(
    "uri",
    ["/", "//", "/.", "file:///", "file://", "/*", "/**/*.csv", "/*/*.csv", "/usr/.."],
)
def test_the_whole_machine_is_no_source(settings, uri):
    with pytest.raises(
        SourceError, match=r"SOURCE-PATH source.uri: .*folder of its own"
    ) as refused:
        list_spans(read_source(uri=uri), settings)
    assert refused.value.exit_code == 2


@pytest.mark.parametrize("uri", ["", "   "])
def test_a_source_without_an_address_is_refused_with_the_spec(uri):
    with pytest.raises(ValueError, match="uri"):
        read_source(uri=uri)
