"""A signature holds or is broken; what is broken never looks as if nobody had signed."""

from __future__ import annotations

import datetime as dt
import io
import json
import random
import re
import shutil
import socket
import stat
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import c2pa
import numpy as np
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from PIL import Image

from immersive import provenance, side_car
from immersive.catalog import Catalog
from immersive.cli import main
from immersive.provenance import Verdict, side_car_of, verify_file
from immersive.side_car import SideCarError, active_signer
from immersive.signing import sign_file
from immersive.signing_key import ensure_signing_key, fingerprint_of
from reconstruction.errors import InvalidInputError
from reconstruction.frames import Provenance
from streaming.assemble import build_asset
from streaming.export import encode_asset
from tests.streaming.scenes_to_carry import rich_asset
from tests.streaming.splat_clouds import lopsided_cloud

NOW = dt.datetime.now(dt.UTC)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a signed file and the home that signed it."""
    folder = tmp_path_factory.mktemp("signed")
    asset = rich_asset(60)
    (folder / "scene.glb").write_bytes(encode_asset(asset))
    sign_file(folder / "scene.glb", asset.manifest, folder / "home")
    return folder


@pytest.fixture
def signed(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made, tmp_path / "copy")
    return tmp_path / "copy" / "scene.glb"


def verdict(path: Path) -> Verdict:
    return verify_file(path, path.parent / "home")


def test_signed_file_is_unchanged_and_verified_with_who_when_and_what(made: Path) -> None:
    found = verdict(made / "scene.glb")

    assert (made / "scene.glb").read_bytes() == encode_asset(rich_asset(60))
    assert (found.state, found.is_by_this_machine, found.is_generated) == ("verified", True, True)
    key = load_pem_private_key((made / "home" / "signing" / "key.pem").read_bytes(), None)
    assert found.fingerprint == fingerprint_of(key.public_key())
    # The signer's clock, beside the disk's.
    written = dt.datetime.fromtimestamp((made / "scene.glb.c2pa").stat().st_mtime, dt.UTC)
    assert abs(dt.datetime.fromisoformat(str(found.signed_at)) - written) < dt.timedelta(minutes=5)
    assert str(found.source_type).endswith("/trainedAlgorithmicMedia")


def test_key_is_for_its_owner_alone_and_says_nothing_of_the_machine(made: Path) -> None:
    folder = made / "home" / "signing"

    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    for certificate in x509.load_pem_x509_certificates((folder / "certificate.pem").read_bytes()):
        assert "Immersive" in certificate.subject.rfc4514_string()
        assert socket.gethostname() not in certificate.subject.rfc4514_string()


def test_another_machine_calls_the_key_unknown(made: Path, tmp_path: Path) -> None:
    ensure_signing_key(tmp_path / "other")

    with_key = verify_file(made / "scene.glb", tmp_path / "other")
    without = verify_file(made / "scene.glb", tmp_path / "nothing")

    assert with_key.state == without.state == "verified"
    assert with_key.is_by_this_machine is without.is_by_this_machine is False
    assert with_key.fingerprint == verdict(made / "scene.glb").fingerprint
    assert not (tmp_path / "nothing").exists()


def test_file_without_a_side_car_is_unsigned(signed: Path) -> None:
    side_car_of(signed).unlink()

    assert verdict(signed).state == "unsigned"


# --- Broken --------------------------------------------------------------------------------------------


def _shorter(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def _longer(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\0")


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _junk(path: Path) -> None:
    path.write_bytes(b"junk" * 300)


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _dangling(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.with_name("nowhere"))


@pytest.mark.parametrize("damage", [_shorter, _longer, _empty, _junk, _folder, _dangling])
def test_side_car_that_is_damaged_is_broken(signed: Path, damage: Callable[[Path], None]) -> None:
    damage(side_car_of(signed))

    assert verdict(signed).state == "broken"


@pytest.mark.parametrize("damage", [_shorter, _longer, _empty, _junk])
def test_file_that_is_damaged_is_broken(signed: Path, damage: Callable[[Path], None]) -> None:
    damage(signed)

    found = verdict(signed)
    assert found.state == "broken" and "not the one that was signed" in found.reason


def test_every_flipped_byte_of_the_file_breaks_it(signed: Path) -> None:
    data = signed.read_bytes()
    noise = random.Random(3)
    places = [0, 4, 12, 19, 20, len(data) - 1, *noise.sample(range(len(data)), 60)]

    for place in places:
        copy = bytearray(data)
        copy[place] ^= 1 << noise.randrange(8)
        signed.write_bytes(copy)
        assert verdict(signed).state == "broken", place


def test_flipped_bytes_of_the_side_car_break_it_signed_or_not(signed: Path) -> None:
    path = side_car_of(signed)
    data = path.read_bytes()
    noise = random.Random(5)
    # All of lengths, types and names of boxes and of the headers of the signature, which nothing signs; every
    # fourth of the others. (All 3443 were flipped once: each broke it.)
    framing = {at.start() - 4 + i for at in re.finditer(b"jumb", data) for i in range(60)}
    padding = {at.start() - 4 + i for at in re.finditer(b"cpad", data) for i in range(24)}
    places = sorted({*range(0, len(data), 4), *framing, *padding})

    for place in places:
        copy = bytearray(data)
        copy[place] ^= noise.randrange(1, 256)
        path.write_bytes(copy)
        assert verdict(signed).state == "broken", (place, copy[place])


def test_every_cut_of_the_side_car_breaks_it(signed: Path) -> None:
    path = side_car_of(signed)
    data = path.read_bytes()

    for length in range(1, len(data), 41):
        path.write_bytes(data[:length])
        assert verdict(signed).state == "broken", length


def test_side_car_of_another_file_is_broken(signed: Path) -> None:
    other = signed.with_name("other.glb")
    other.write_bytes(encode_asset(rich_asset(50)))
    shutil.copy(side_car_of(signed), side_car_of(other))

    assert "not the one that was signed" in verdict(other).reason


def test_certificate_that_has_expired_is_broken(made: Path) -> None:
    later = NOW + dt.timedelta(days=3651)

    found = verify_file(made / "scene.glb", made / "home", now=later)

    assert found.state == "broken" and "expired on 203" in found.reason


def test_certificate_that_did_not_sign_is_broken(signed: Path, tmp_path: Path) -> None:
    """Exchange the signer's certificate in place for one of equal length: of another key."""
    path = side_car_of(signed)
    data = path.read_bytes()
    _, mine = active_signer(data)
    old = mine.public_bytes(Encoding.DER)
    for number in range(60):
        other = ensure_signing_key(tmp_path / str(number)).certificate
        new = x509.load_pem_x509_certificate(other).public_bytes(Encoding.DER)
        if len(new) == len(old):
            break
    assert data.count(old) == 1
    path.write_bytes(data.replace(old, new))

    found = verdict(signed)

    assert found.state == "broken" and not found.fingerprint


def test_bytes_that_the_signer_left_out_break_it(signed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = provenance._read

    def with_exclusion(*args: Any) -> Any:
        found = read(*args)
        manifest = found["manifests"][found["active_manifest"]]
        manifest["assertion_store"]["c2pa.hash.data"]["exclusions"] = [{"start": 0, "length": 9}]
        return found

    monkeypatch.setattr(provenance, "_read", with_exclusion)

    assert verdict(signed).reason == "its side-car leaves out bytes of the file"


@pytest.mark.parametrize(
    "code", ["claimSignature.validated", "claimSignature.insideValidity", "assertion.dataHash.match"]
)
def test_what_is_not_said_to_hold_does_not_hold(
    signed: Path, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = provenance._read

    def without(*args: Any) -> Any:
        found = read(*args)
        results = found["validation_results"]["activeManifest"]
        results["success"] = [entry for entry in results["success"] if entry["code"] != code]
        return found

    monkeypatch.setattr(provenance, "_read", without)

    assert verdict(signed).state == "broken"


# --- Who, what, how ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "is_generated", "told", "kind"),
    [
        ("procedural", True, True, "algorithmicMedia"),
        ("clip", False, False, "computationalCapture"),
        ("import", False, None, None),
    ],
)
def test_how_it_was_made_is_signed(
    source: str, is_generated: bool, told: bool | None, kind: str | None, tmp_path: Path
) -> None:
    asset = build_asset(
        lopsided_cloud(9),
        title="T",
        recipe={"file": "mill.ply"},
        provenance=Provenance(source, is_generated=is_generated),
    )
    (tmp_path / "a.glb").write_bytes(encode_asset(asset))
    sign_file(tmp_path / "a.glb", asset.manifest, tmp_path)

    found = verify_file(tmp_path / "a.glb", tmp_path)

    assert (found.state, found.is_generated) == ("verified", told)
    assert (found.source_type or "/").rsplit("/", 1)[1] == (kind or "")


def test_key_stays_when_its_certificate_is_renewed(tmp_path: Path) -> None:
    first = ensure_signing_key(tmp_path)

    assert ensure_signing_key(tmp_path) == first
    late = ensure_signing_key(tmp_path, now=NOW + dt.timedelta(days=9 * 365 + 9))
    assert late.key == first.key and late.certificate != first.certificate


def test_key_that_cannot_be_read_is_not_replaced(tmp_path: Path) -> None:
    ensure_signing_key(tmp_path)
    (tmp_path / "signing" / "key.pem").write_bytes(b"gone")

    with pytest.raises(InvalidInputError, match="must be a P-256 key"):
        ensure_signing_key(tmp_path)
    assert (tmp_path / "signing" / "key.pem").read_bytes() == b"gone"


def test_credentials_inside_a_picture_are_seen(made: Path, tmp_path: Path) -> None:
    plain, whole = tmp_path / "plain.png", tmp_path / "whole.png"
    Image.fromarray(np.arange(900, dtype=np.uint8).reshape(20, 15, 3)).save(plain)
    key = ensure_signing_key(made / "home")
    kind = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
    actions = {"actions": [{"action": "c2pa.created", "digitalSourceType": kind}]}
    told = {
        "claim_generator_info": [{"name": "x"}],
        "assertions": [{"label": "c2pa.actions.v2", "data": actions}],
    }
    signer = c2pa.Signer.from_info(c2pa.C2paSignerInfo(b"es256", key.chain, key.key, None))
    with c2pa.Builder(told) as builder, plain.open("rb") as source:
        out = io.BytesIO()
        builder.sign(signer, "png", source, out)
    whole.write_bytes(out.getvalue())

    good = verify_file(whole, tmp_path)
    broken = tmp_path / "broken.png"
    broken.write_bytes(out.getvalue()[:-20] + b"\1" + out.getvalue()[-19:])

    assert (good.state, good.is_generated, good.fingerprint) == ("verified", True, None)
    assert verify_file(plain, tmp_path).state == "unsigned"
    assert verify_file(broken, tmp_path).state == "broken"


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "one C2PA store"),
        (b"\0\0\0\x08free", "one C2PA store"),
        (b"\0\0\0\xffjumb", "end where its surroundings do"),
        (b"\0\0\0\x01jumb" + bytes(20), "end where its surroundings do"),
        (b"\0\0\0\x08jumb", "begin with its description"),
    ],
)
def test_side_car_that_is_not_built_as_one_is_told(data: bytes, sentence: str) -> None:
    with pytest.raises(SideCarError, match=sentence):
        active_signer(data)


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"\x00", 0),
        (b"\x18\x64", 100),
        (b"\x3a\x00\x01\x00\x00", -65537),
        (b"\x43abc", b"abc"),
        (b"\x63abc", "abc"),
        (b"\x83\x01\x82\x02\xf6\x40", [1, [2, None], b""]),
        (b"\xd2\xa2\x01\xf5\x61a\xf4", {1: True, "a": False}),
    ],
)
def test_cbor_is_read_as_the_standard_writes_it(data: bytes, value: object) -> None:
    assert side_car.decode_cbor(data) == value


@pytest.mark.parametrize(
    "data",
    [b"", b"\x00\x00", b"\x18", b"\x45abc", b"\x5f\x41a\xff", b"\xa2\x01\x02\x01\x03", b"\x9b" + b"\xff" * 8]
    + [b"\x81" * 40 + b"\0", b"\x61\xff", b"\xa1\x80\x00"],
)
def test_cbor_that_is_not_whole_or_unclear_is_refused(data: bytes) -> None:
    with pytest.raises(SideCarError):
        side_car.decode_cbor(data)


# --- The command ---------------------------------------------------------------------------------------


def test_command_signs_and_verifies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("IMMERSIVE_HOME", str(tmp_path / "home"))
    catalog = Catalog(tmp_path / "home")
    record = catalog.publish(rich_asset(60))
    catalog.close()
    file = tmp_path / "place.glb"

    assert main(["export", record.id, "--to", str(file), "--sign", "--licence", "CC0", "--credit", ""]) == 0
    assert {path.name for path in tmp_path.iterdir()} == {"home", "place.glb", "place.glb.c2pa"}
    assert b"CC0" in file.read_bytes() and b"Ada" not in file.read_bytes()
    capsys.readouterr()
    assert main(["verify", str(file)]) == 0
    assert "signed by   the key of this machine" in capsys.readouterr().out
    assert main(["export", record.id, "--to", str(file)]) == 0
    assert "place.glb.c2pa is of an earlier file" in capsys.readouterr().err
    assert main(["verify", str(file)]) == 1
    assert capsys.readouterr().out.startswith("BROKEN: ")
    assert main(["verify", str(file), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["state"] == "broken"
    side_car_of(file).unlink()
    assert main(["verify", str(file), "--json"]) == 3
    found = json.loads(capsys.readouterr().out)
    assert (found["state"], found["fingerprint"]) == ("unsigned", None)
    assert main(["verify", str(tmp_path / "no.glb"), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "invalid_input"


def test_files_that_come_with_others_are_not_signed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("IMMERSIVE_HOME", str(tmp_path / "home"))
    catalog = Catalog(tmp_path / "home")
    record = catalog.publish(rich_asset(60))
    catalog.close()

    assert main(["export", record.id, "--to", str(tmp_path / "tileset.json"), "--sign"]) == 1

    assert "a signature is for one" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["home"]


def test_without_the_package_nothing_passes_for_unsigned(
    signed: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "c2pa", None)
    monkeypatch.setenv("IMMERSIVE_HOME", str(signed.parent / "home"))

    assert main(["verify", str(signed), "--json"]) == 1

    error = json.loads(capsys.readouterr().out)["error"]
    assert error["code"] == "missing_backend" and "immersive[signing]" in error["hint"]
    side_car_of(signed).unlink()
    assert main(["verify", str(signed)]) == 3


def test_what_a_file_says_is_one_harmless_line() -> None:
    told = provenance.told("a\x1b[2Jb\n" + "c" * 900)

    assert told.startswith("a [2Jb c") and len(told) == 200


def test_names_of_signers_are_not_markup(
    made: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from immersive import verify_command

    found = verdict(made / "scene.glb")
    odd = replace(found, is_by_this_machine=False, signer="[bold]Khronos[/]")
    monkeypatch.setattr(verify_command, "verify_file", lambda path, home: odd)

    verify_command.verify_and_show(made / "scene.glb", as_json=False)

    assert "'[bold]Khronos[/]'" in capsys.readouterr().out
