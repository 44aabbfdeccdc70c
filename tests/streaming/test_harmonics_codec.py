from __future__ import annotations

import json
import shutil
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest

from reconstruction.spherical_harmonics import SH_C0
from streaming.chunk_bytes import decode_harmonics_chunk, encode_harmonics_chunks
from streaming.errors import AssetFormatError
from streaming.harmonics_codec import decode, encode, encode_glb, glb_payload
from streaming.splat_steps import Fidelity
from tests.streaming.splat_clouds import lopsided_cloud

VIEWER = Path(__file__).resolve().parents[2] / "viewer"


@pytest.mark.parametrize("degree", [1, 2, 3])
def test_a_layer_comes_back_as_its_encoder_said_and_near_what_it_was_given(degree: int) -> None:
    cloud = lopsided_cloud(900, degree=degree)

    (layer,) = encode([cloud])

    back = decode(layer.payload)
    np.testing.assert_array_equal(back, layer.rest)
    assert back.shape == (900, (degree + 1) ** 2 - 1, 3)
    off = (back - cloud.sh[:, 1:]) * SH_C0
    shown = cloud.opacities**2 * np.prod(-np.sort(-cloud.scales, axis=1)[:, :2], axis=1)
    # Large opaque splats, which make the picture, are finer than faint ones.
    assert np.abs(off[shown > np.median(shown)]).mean() < 0.7 * np.abs(off[shown < np.median(shown)]).mean()
    assert np.sqrt((off**2 * shown[:, None, None]).mean() / shown.mean()) < 1 / 36


def test_finer_steps_cost_more_and_keep_more() -> None:
    cloud = lopsided_cloud(2_000, degree=2)
    sizes, errors = [], []
    for rest in (1 / 18, 1 / 36, 1 / 72):
        (layer,) = encode([cloud], Fidelity(rest=rest))
        sizes.append(len(layer.payload))
        errors.append(float(np.abs(layer.rest - cloud.sh[:, 1:]).mean()))

    assert sizes[0] < sizes[1] < sizes[2] and errors[0] > 1.3 * errors[1] > 1.3 * 1.3 * errors[2]


def test_layers_of_many_chunks_have_the_bytes_of_each_alone() -> None:
    clouds = [lopsided_cloud(count, degree=degree) for count, degree in ((50, 1), (700, 3), (1, 1), (33, 3))]

    together = encode(clouds)

    for cloud, layer in zip(clouds, together, strict=True):
        assert layer.payload == encode([cloud])[0].payload


def test_colour_beyond_any_screen_is_kept() -> None:
    cloud = lopsided_cloud(40, degree=1)
    cloud.sh[:, 1:] *= 200

    (layer,) = encode([cloud])

    np.testing.assert_allclose(decode(layer.payload), cloud.sh[:, 1:], atol=0.02 * np.abs(cloud.sh).max())


def test_damage_is_refused_in_a_sentence_or_stays_finite() -> None:
    payload = bytearray(encode([lopsided_cloud(120, degree=2)])[0].payload)
    rng = np.random.default_rng(9)
    refused = 0
    for _ in range(300):
        bad = bytearray(payload)
        for at in rng.integers(0, len(bad), 3):
            bad[at] ^= 1 << int(rng.integers(8))
        try:
            assert np.isfinite(decode(bytes(bad[: int(rng.integers(1, len(bad) + 1))]))).all()
        except AssetFormatError as error:
            refused += 1
            assert str(error)
    assert refused > 250


@pytest.mark.parametrize(
    ("at", "values"),
    [
        (0, b"\x02"),
        (1, b"\x00"),
        (1, b"\x04"),
        (4, struct.pack("<I", 0)),
        (4, struct.pack("<I", 2**31)),
        (8, struct.pack("<f", -1.0)),
        (12, struct.pack("<f", float("nan"))),
        (16, struct.pack("<I", 2**31)),
    ],
)
def test_a_header_that_cannot_be_is_refused(at: int, values: bytes) -> None:
    payload = bytearray(encode([lopsided_cloud(20, degree=1)])[0].payload)
    payload[at : at + len(values)] = values

    with pytest.raises(AssetFormatError):
        decode(bytes(payload))


def test_a_glb_without_a_layer_is_refused() -> None:
    glb = encode_glb(encode([lopsided_cloud(20, degree=1)])[0].payload)
    assert len(glb_payload(glb)) > 20

    with pytest.raises(AssetFormatError, match="IMMERSIVE_splat_harmonics"):
        glb_payload(glb.replace(b"IMMERSIVE_splat_harmonics", b"IMMERSIVE_splat_something"))


def test_the_page_reads_the_same_numbers(tmp_path: Path) -> None:
    node = shutil.which("node")
    if node is None or not (VIEWER / "node_modules" / "vite").exists():
        pytest.skip("the page's code needs Node.js and its packages: make setup")
    clouds = [lopsided_cloud(count, degree=degree) for count, degree in ((300, 3), (17, 1), (800, 2))]
    clouds[1].sh[:, 1:] *= 300  # integers that do not fit a symbol
    for index, (data, _) in enumerate(encode_harmonics_chunks(clouds)):
        (tmp_path / f"{index}.layer").write_bytes(data)

    done = subprocess.run(
        [node, "scripts/decode-chunks.mjs", str(tmp_path)],
        cwd=VIEWER,
        capture_output=True,
        text=True,
        check=True,
    )

    assert json.loads(done.stdout.splitlines()[-1])["splats"] == 0
    for index, cloud in enumerate(clouds):
        found = np.fromfile(tmp_path / f"{index}.f32", "<f4").reshape(len(cloud), -1, 3)
        truth = decode_harmonics_chunk((tmp_path / f"{index}.layer").read_bytes())
        np.testing.assert_allclose(found, truth, rtol=1e-6, atol=1e-7)
