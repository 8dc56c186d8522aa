"""Code out of an archive: the files of the package that the run recorded, and no other bytes."""

from __future__ import annotations

import io
import tarfile
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everfit.champion.version.dossier import packed, source_files
from everfit.contracts.errors import IntegrityError
from everfit.engine.fingerprints import source_digest
from everfit.operations.reproduce.unpack_code import unpack_code

PYTHON = {"a.py": b"x = 1\n", "deep/b.py": b"y = 2\n"}
CODE = source_digest(PYTHON)
FILES = {f"everfit/{name}": data for name, data in PYTHON.items()}


def archive(*members: tuple[str, bytes], **fields: object) -> bytes:
    """A tar of files, the last member changed as the fields say."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for number, (name, data) in enumerate(members):
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            if number == len(members) - 1:
                for field, value in fields.items():
                    setattr(entry, field, value)
            tar.addfile(entry, io.BytesIO(data) if entry.isfile() else None)
    return buffer.getvalue()


def written(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_what_register_packed_is_unpacked(tmp_path):
    files = source_files()
    code = source_digest({k.partition("/")[2]: v for k, v in files.items()})
    unpack_code(packed(files), code, tmp_path, "fare v3")
    assert written(tmp_path) == files


def test_other_code_than_the_runs_is_refused_before_anything_is_written(tmp_path):
    data = packed({**FILES, "everfit/c.py": b"import os\n"})
    with pytest.raises(IntegrityError, match=r"REPRODUCE-ARCHIVE fare v3: .*the run was of"):
        unpack_code(data, CODE, tmp_path, "fare v3")
    assert written(tmp_path) == {}


@pytest.mark.parametrize(
    "name",
    [
        "../evil.py",
        "everfit/../../evil.py",
        "/etc/evil.py",
        "evil.py",
        "other/evil.py",
        "everfit",
        "everfit/..\\..\\evil.py",
        "./evil.py",
    ],
)
def test_a_name_that_leaves_the_package_is_refused(tmp_path, name):
    folder = tmp_path / "deep" / "folder"
    folder.mkdir(parents=True)
    data = archive(*FILES.items(), (name, b"boom"))
    with pytest.raises(IntegrityError, match="no file of the package"):
        unpack_code(data, CODE, folder, "fare v3")
    assert written(tmp_path) == {}


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE]
)
def test_links_and_devices_are_refused(tmp_path, kind):
    member = ("everfit/link.py", b"")
    data = archive(*FILES.items(), member, type=kind, linkname="/etc/passwd")
    with pytest.raises(IntegrityError, match="no file of the package"):
        unpack_code(data, CODE, tmp_path, "fare v3")
    assert written(tmp_path) == {}


def test_modes_and_owners_of_the_archive_count_for_nothing(tmp_path):
    data = archive(*FILES.items(), ("everfit/py.typed", b""), mode=0o4777, uid=0)
    unpack_code(data, source_digest({**PYTHON, "py.typed": b""}), tmp_path, "fare v3")
    modes = {path.stat().st_mode & 0o7111 for path in tmp_path.rglob("*") if path.is_file()}
    assert modes == {0}


def test_an_absurd_size_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("everfit.operations.reproduce.unpack_code.MOST_BYTES", 10)
    with pytest.raises(IntegrityError, match="larger than any source code"):
        unpack_code(archive(*FILES.items()), CODE, tmp_path, "fare v3")


@given(st.binary(max_size=2000))
def test_any_other_bytes_are_one_line(data):
    with pytest.raises(IntegrityError) as caught:
        unpack_code(data, CODE, Path("/nowhere"), "fare v3")
    assert caught.value.line.startswith("REPRODUCE-ARCHIVE fare v3: ")


@given(st.data())
def test_a_damaged_archive_is_refused_or_the_same(data):
    whole = bytearray(packed(FILES))
    place = data.draw(st.integers(0, len(whole) - 1))
    whole[place] ^= data.draw(st.integers(1, 255))
    with tempfile.TemporaryDirectory() as folder:
        try:
            unpack_code(bytes(whole), CODE, Path(folder), "fare v3")
        except IntegrityError:
            assert written(Path(folder)) == {}
        else:
            assert written(Path(folder)) == FILES
