"""Records of versions are signed: who altered one, or wrote one of his own, is found out."""

from __future__ import annotations

import base64
import multiprocessing
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from everfit.champion.current import pinned_champion
from everfit.champion.version.signing import (
    KEY_FILE,
    known_keys,
    message,
    private_key,
    signed,
    verified,
    verified_champion,
)
from everfit.contracts.errors import IntegrityError, UserError
from everfit.contracts.messages.artifacts import Artifact
from everfit.contracts.messages.monitoring import MonitorRequest
from everfit.contracts.messages.planning import ChampionRef
from everfit.contracts.messages.steps import Order
from everfit.engine.upstream import Upstream
from everfit.steps.monitor.champion_at_work import ChampionAtWork
from everfit.steps.register.step import Register
from everfit.storage.ledger.records import VersionRecord
from tests.unit.register.small_run import SPEC, small_run

BYTES = Artifact(name="model.skops", digest="d" * 64, size=1)


def record(version: int = 1, **more) -> VersionRecord:
    key = f"{version:064x}"
    ref = ChampionRef(
        version=version,
        run_key=key,
        model=BYTES,
        train=BYTES,
        window=("b" * 64,),
        sequence=0,
        scores={"mae": 0.1 + 0.2},
    )
    fields = {"run_key": key, "version": version, "mlflow_run": "run", "champion": ref}
    return VersionRecord.model_validate(fields | {"dossier": "e" * 64} | more)


def pem(key, password: bytes | None = None) -> str:
    kept = BestAvailableEncryption(password) if password else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, kept).decode()


def public_pem(key) -> str:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


@pytest.fixture
def kept(context):
    """A record as the ledger gives it back."""
    made = signed(record(), "fares", context.settings)
    return context.ledger.record_version("fares", made)


def test_what_was_signed_is_believed_after_a_round_trip(context, kept):
    assert verified(kept, "fares", context) is kept
    assert kept.at and kept.signature.startswith("ed25519:")


def test_openssl_agrees_that_the_signature_holds(context, kept, tmp_path):
    """The signature is plain Ed25519 over the message: any other tool can check it."""
    public, _, made = kept.signature.rpartition(":")
    # RFC 8410: the prefix of an Ed25519 SubjectPublicKeyInfo
    der = bytes.fromhex("302a300506032b6570032100") + base64.b64decode(public.split(":")[1])
    (tmp_path / "key.der").write_bytes(der)
    (tmp_path / "text").write_bytes(message(kept, "fares"))
    (tmp_path / "signature").write_bytes(base64.b64decode(made))
    command = [
        "openssl",
        "pkeyutl",
        "-verify",
        "-pubin",
        "-keyform",
        "DER",
        "-inkey",
        "key.der",
        "-rawin",
        "-in",
        "text",
        "-sigfile",
        "signature",
    ]
    try:
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("no openssl here")
    assert done.returncode == 0, done.stderr


CHANGES = {
    "version": {"version": 2},
    "run": {"run_key": "f" * 64},
    "mlflow_run": {"mlflow_run": "another"},
    "awaits": {"awaits": "observe"},
    "dossier": {"dossier": "0" * 64},
    "model": {
        "champion": record().champion.model_copy(
            update={"model": BYTES.model_copy(update={"digest": "0" * 64})}
        )
    },
    "window": {"champion": record().champion.model_copy(update={"window": ()})},
    "score": {"champion": record().champion.model_copy(update={"scores": {"mae": 0.0}})},
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_every_field_is_signed(context, kept, change):
    with pytest.raises(
        IntegrityError, match=r"LEDGER-SIGNATURE .*changed after it was signed.*backup"
    ):
        verified(kept.model_copy(update=change), "fares", context)


def test_a_record_of_another_pipeline_is_refused(context, kept):
    with pytest.raises(IntegrityError, match="changed after it was signed"):
        verified(kept, "trips", context)


@pytest.mark.parametrize("made", ["", "AAAA", "?", "é", base64.b64encode(bytes(64)).decode()])
def test_a_signature_that_is_none_is_refused(context, kept, made):
    public = kept.signature.rpartition(":")[0]
    with pytest.raises(IntegrityError, match="LEDGER-SIGNATURE"):
        verified(kept.model_copy(update={"signature": f"{public}:{made}"}), "fares", context)


def test_a_strangers_signature_is_refused_and_says_how_to_know_the_key(context, kept):
    stranger = context.settings.model_copy(
        update={"signing_key": pem(Ed25519PrivateKey.generate())}
    )
    forged = signed(kept, "fares", stranger)
    with pytest.raises(IntegrityError, match=r"a key not known here.*EVERFIT_VERIFY_KEY"):
        verified(forged, "fares", context)
    (public,) = known_keys(stranger) - known_keys(context.settings)
    knowing = context.settings.model_copy(update={"verify_key": public})
    assert known_keys(knowing) == known_keys(context.settings) | {public}


def test_the_public_key_alone_verifies(context, kept, tmp_path):
    """On another machine, without the private key: in PEM, by path, as one line, or several."""
    key = private_key(context.settings)
    other = Ed25519PrivateKey.generate()
    path = tmp_path / "keys.pem"
    path.write_text(public_pem(other) + public_pem(key))
    for text in (
        public_pem(key),
        public_pem(key).replace("\n", "\\n"),
        kept.signature.rpartition(":")[0],
        str(path),
    ):
        there = context.settings.model_copy(update={"home": tmp_path, "verify_key": text})
        assert kept.signature.rpartition(":")[0] in known_keys(there)
        assert not (tmp_path / KEY_FILE).exists()  # looking makes no key


def test_a_key_is_given_as_text_or_as_a_path(context, tmp_path):
    key = Ed25519PrivateKey.generate()
    path = tmp_path / "mine.pem"
    path.write_text(pem(key))
    for value in (pem(key), pem(key).replace("\n", "\\n"), str(path)):
        settings = context.settings.model_copy(update={"signing_key": value})
        raw = private_key(settings).private_bytes_raw()
        assert raw == key.private_bytes_raw()
    assert not (context.settings.home / KEY_FILE).exists()


WRONG = {
    "no file": "/nowhere/key.pem",
    "no pem": "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
    "another type": pem(X25519PrivateKey.generate()),
    "passphrase": pem(Ed25519PrivateKey.generate(), b"secret"),
    "public": public_pem(Ed25519PrivateKey.generate()),
}


@pytest.mark.parametrize("value", WRONG.values(), ids=WRONG)
def test_a_setting_that_is_no_private_key_is_one_line_without_it(context, value):
    settings = context.settings.model_copy(update={"signing_key": value})
    with pytest.raises(UserError, match=r"SIGNING-KEY EVERFIT_SIGNING_KEY: .*openssl") as caught:
        private_key(settings)
    assert "AAAA" not in caught.value.line and "\n" not in caught.value.line
    assert value not in repr(settings)


@pytest.mark.parametrize("value", ["/nowhere", "-----BEGIN PUBLIC KEY-----", WRONG["no pem"]])
def test_a_setting_that_is_no_public_key_is_one_line(context, value):
    settings = context.settings.model_copy(update={"verify_key": value})
    with pytest.raises(UserError, match="SIGNING-KEY EVERFIT_VERIFY_KEY"):
        known_keys(settings)


def test_the_key_in_the_home_is_for_its_user_alone_and_kept(context, caplog):
    first = private_key(context.settings).private_bytes_raw()
    path = context.settings.home / KEY_FILE
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert private_key(context.settings).private_bytes_raw() == first
    assert [p.name for p in context.settings.home.glob("*signing*")] == [KEY_FILE]
    assert caplog.text == ""
    path.chmod(0o640)
    private_key(context.settings)
    assert "can be read by others" in caplog.text


def _public_of(settings, queue) -> None:
    queue.put(private_key(settings).public_key().public_bytes_raw())


def test_of_many_makers_at_once_one_wins(context):
    forked = multiprocessing.get_context("fork")
    queue = forked.SimpleQueue()
    racers = [forked.Process(target=_public_of, args=(context.settings, queue)) for _ in range(8)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    assert len({queue.get() for _ in racers}) == 1


def test_a_record_of_an_older_everfit_is_believed(context):
    old = context.ledger.record_version("fares", record(dossier=None))
    assert verified(old, "fares", context) is old


def test_without_a_signature_nothing_newer_is_believed(context, kept):
    with pytest.raises(IntegrityError, match=r"has no signature.*promote another version"):
        verified(kept.model_copy(update={"signature": ""}), "fares", context)
    # One that claims to be old, though a version before it was signed.
    late = context.ledger.record_version("fares", record(version=2, dossier=None))
    with pytest.raises(IntegrityError, match="has no signature"):
        verified(late, "fares", context)


def test_a_pinned_champion_must_be_as_its_record_says(context, kept):
    pinned = kept.champion.model_copy(update={"sequence": 7})
    assert verified_champion(pinned, "fares", context) is pinned
    swapped = pinned.model_copy(update={"model": BYTES.model_copy(update={"digest": "0" * 64})})
    with pytest.raises(IntegrityError, match=r"LEDGER-SIGNATURE .*pinned to something else"):
        verified_champion(swapped, "fares", context)
    with pytest.raises(IntegrityError, match=r"LEDGER-SIGNATURE .*there is none"):
        verified_champion(pinned.model_copy(update={"run_key": "0" * 64}), "fares", context)


def test_a_run_pinned_to_something_forged_stops_before_a_model_is_read(context):
    """Evaluate, gate and register read their champion here; monitoring asks the same."""
    request = small_run(context)
    Register().run(request, context)
    champion = context.ledger.version(request.run_key).champion.model_copy(update={"sequence": 1})
    order = Order(component="evaluate", pipeline=SPEC)
    good = small_run(context, "good", champion=champion)
    assert pinned_champion(good.run_key, order, Upstream(order, context), context) == champion
    planted = context.store.put("model.skops", b"hostile")
    forged = champion.model_copy(update={"model": planted})
    bad = small_run(context, "bad", champion=forged)
    with pytest.raises(IntegrityError, match=r"LEDGER-SIGNATURE fares v1: .*something else"):
        pinned_champion(bad.run_key, order, Upstream(order, context), context)
    asked = MonitorRequest.model_construct(champion=forged, pipeline=SPEC)
    with pytest.raises(IntegrityError, match="LEDGER-SIGNATURE"):
        _ = ChampionAtWork(asked, context).model


def test_a_folder_that_cannot_be_written_is_one_line(context, monkeypatch):
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied", "signing.key")

    monkeypatch.setattr(os, "link", refuse)
    with pytest.raises(UserError, match=r"SYSTEM-ACCESS .*docs/reference/settings.md"):
        private_key(context.settings)
    assert list(context.settings.home.glob("*signing*")) == []


def test_what_runs_where_nothing_changed_imports_no_cryptography():
    code = (
        "import sys, everfit.steps.plan.step, everfit.engine.execute; "
        "sys.exit(any(name.startswith('cryptography') for name in sys.modules))"
    )
    root = Path(__file__).resolve().parents[3]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0
