from __future__ import annotations

import io
import json
import struct
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from PIL import Image

from reconstruction.spherical_harmonics import evaluate, rgb_from_dc
from reconstruction.splats import SplatCloud
from streaming import sog
from streaming.errors import AssetFormatError
from streaming.morton import morton_order
from streaming.sog_files import BundleFiles, FolderFiles
from streaming.validate import read_splats
from tests.data import shared
from tests.streaming.splat_clouds import angles_deg, clouds, covariances, damaged, lopsided_cloud


def _webp(pixels: Any, **options: Any) -> bytes:
    target = io.BytesIO()
    image = Image.fromarray(np.asarray(pixels, np.uint8), "RGBA")
    image.save(target, "WEBP", **({"lossless": True, "exact": True} | options))
    return target.getvalue()


def zipped(files: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", method) as bundle:
        for name, data in files.items():
            bundle.writestr(name, data)
    return target.getvalue()


def with_meta(files: dict[str, bytes], **changes: Any) -> dict[str, bytes]:
    """Return the files with members of their meta replaced; a dotted path leads inside."""
    meta = json.loads(files["meta.json"])
    for path, value in changes.items():
        *parents, key = path.split("__")
        entry = meta
        for parent in parents:
            entry = entry[parent]
        entry[key] = value
    return {**files, "meta.json": json.dumps(meta).encode()}


def _by_hand() -> dict[str, bytes]:
    """Two splats written without our encoder: a row of two pixels, every number chosen."""
    meta = {
        "version": 2,
        "count": 2,
        "means": {
            "mins": [-1.0, 0.0, 0.5],
            "maxs": [1.0, 2.0, 0.5],
            "files": ["l.webp", "u.webp"],
        },
        "scales": {"codebook": [-1.0, -2.0, -3.0], "files": ["s.webp"]},
        "quats": {"files": ["q.webp"]},
        "sh0": {"codebook": [0.1, 0.2, -0.3], "files": ["c.webp"]},
        "shN": {"count": 2, "bands": 1, "codebook": [0.0, 0.5, -0.25], "files": ["p.webp", "n.webp"]},
    }
    palette = np.zeros((1, 192, 4))
    palette[0, 3:6, :3] = [[1, 0, 0], [0, 1, 0], [0, 0, 2]]  # the second row of the palette
    return {
        "meta.json": json.dumps(meta).encode(),
        "l.webp": _webp([[[0, 255, 7, 255], [255, 0, 9, 255]]]),
        "u.webp": _webp([[[0, 255, 7, 255], [255, 0, 9, 255]]]),
        # The first: largest is y, the others w = 0, x = 1/2, z = -1/2 (times sqrt(2)); the second has no tag.
        "q.webp": _webp([[[127.5, 218, 37, 254], [1, 2, 3, 9]]]),
        "s.webp": _webp([[[0, 1, 2, 255], [2, 1, 0, 255]]]),
        "c.webp": _webp([[[0, 1, 2, 51], [2, 2, 1, 0]]]),
        "p.webp": _webp(palette),
        "n.webp": _webp([[[1, 0, 0, 255], [0, 0, 0, 255]]]),
    }


def test_splats_written_by_hand_are_read() -> None:
    cloud = sog.decode(zipped(_by_hand()), frame="rub")

    e = np.e
    np.testing.assert_allclose(
        cloud.means, [[1 - e, e**2 - 1, e**0.5 - 1], [e - 1, 0, e**0.5 - 1]], atol=1e-6
    )
    np.testing.assert_allclose(cloud.scales, np.exp([[-1, -2, -3], [-3, -2, -1]]), rtol=1e-6)
    np.testing.assert_allclose(cloud.quats[0], [0, 0.5, np.sqrt(0.5), -0.5], atol=0.003)
    np.testing.assert_array_equal(cloud.quats[1], [1, 0, 0, 0])
    np.testing.assert_allclose(cloud.opacities, [0.2, 0])
    np.testing.assert_allclose(cloud.sh[:, 0], [[0.1, 0.2, -0.3], [-0.3, -0.3, 0.2]], atol=1e-7)
    np.testing.assert_allclose(cloud.sh[0, 1:], [[0.5, 0, 0], [0, 0.5, 0], [0, 0, -0.25]])
    assert not cloud.sh[1, 1:].any()


def version_one() -> dict[str, bytes]:
    """Return the same two splats as version 1 has them: limits in place of codebooks, a logit as opacity."""
    files = _by_hand()
    meta = json.loads(files["meta.json"])
    del meta["version"], meta["count"]
    meta["means"]["shape"] = [2, 3]
    meta["scales"] = {"mins": [-4.0, -4, -4], "maxs": [0.0, -1, -2], "files": ["s.webp"]}
    meta["sh0"] = {"mins": [0.0, 0, 0, -2], "maxs": [1.0, 2, 3, 2], "files": ["c.webp"]}
    meta["shN"] = {"mins": -1.0, "maxs": 1.0, "files": ["p.webp", "n.webp"]}
    files["meta.json"] = json.dumps(meta).encode()
    files["s.webp"] = _webp([[[0, 255, 51, 255], [255, 0, 0, 255]]])
    files["c.webp"] = _webp([[[0, 255, 51, 255], [255, 0, 0, 0]]])
    return files


def test_version_one_lies_between_limits_and_keeps_logits() -> None:
    files = version_one()

    cloud = sog.decode(zipped(files), frame="rub")

    np.testing.assert_allclose(np.log(cloud.scales), [[-4, -1, -3.6], [0, -4, -4]], atol=1e-5)
    np.testing.assert_allclose(cloud.sh[:, 0], [[0, 2, 0.6], [1, 0, 0]], atol=1e-6)
    np.testing.assert_allclose(cloud.opacities, 1 / (1 + np.exp([-2.0, 2.0])), rtol=1e-6)
    np.testing.assert_allclose(cloud.sh[0, 1, 0], 2 / 255 - 1, atol=1e-6)
    assert sog.describe(BundleFiles(zipped(files))).version == 1


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_written_file_comes_back_within_its_errors(degree: int) -> None:
    cloud = lopsided_cloud(700, degree=degree)
    data = sog.encode(cloud)
    meta = json.loads(BundleFiles(data).read("meta.json", 2**20))

    found = sog.decode(data)

    cloud = cloud.subset(morton_order(cloud.means))
    extent = np.ptp(np.sign(cloud.means) * np.log1p(np.abs(cloud.means)), axis=0)
    assert (np.abs(found.means - cloud.means) <= (1 + np.abs(cloud.means)) * extent / 131070 + 1e-6).all()
    gap = np.diff(meta["scales"]["codebook"]).max()
    assert np.abs(np.log(found.scales / cloud.scales)).max() <= gap / 2 + 1e-5
    gap = np.diff(meta["sh0"]["codebook"]).max()
    assert np.abs(found.sh[:, 0] - cloud.sh[:, 0]).max() <= gap / 2 + 1e-6
    assert np.abs(found.opacities - cloud.opacities).max() <= 1 / 510 + 1e-6
    assert angles_deg(found.quats, cloud.quats).max() <= 1.2
    assert found.sh.shape == cloud.sh.shape
    if degree:
        # 512 vectors stand for 700 of the noisiest colours there are: half of them lie alone.
        error = np.abs(found.sh[:, 1:] - cloud.sh[:, 1:]).max(axis=(1, 2))
        assert np.median(error) <= np.diff(meta["shN"]["codebook"]).max() / 2 + 1e-6
        assert error.max() < np.abs(cloud.sh[:, 1:]).max() * 2


@settings(max_examples=60, deadline=None)
@given(clouds())
def test_any_cloud_comes_back_within_the_stated_errors(cloud: SplatCloud) -> None:
    found = sog.decode(sog.encode(cloud))

    cloud = cloud.subset(morton_order(cloud.means))
    extent = np.ptp(np.sign(cloud.means) * np.log1p(np.abs(cloud.means.astype(np.float64))), axis=0)
    bound = (1 + np.abs(cloud.means)) * extent / 131070 * 1.001 + 1e-6 * np.abs(cloud.means) + 1e-6
    assert (np.abs(found.means - cloud.means) <= bound).all()
    # At most 120 distinct values: the codebook keeps them all.
    np.testing.assert_allclose(np.log(found.scales), np.log(cloud.scales), atol=2e-6)
    np.testing.assert_array_equal(found.sh, cloud.sh)
    assert np.abs(found.opacities - cloud.opacities).max() <= 1 / 510 + 1e-6
    assert angles_deg(found.quats, cloud.quats).max() <= 1.2


def test_bytes_do_not_depend_on_the_run() -> None:
    cloud = lopsided_cloud(600, degree=2)

    assert sog.encode(cloud) == sog.encode(cloud)


def test_colour_of_a_clear_splat_survives() -> None:
    cloud = lopsided_cloud(20)
    cloud.opacities[:] = 0

    found = sog.decode(sog.encode(cloud))

    np.testing.assert_allclose(found.sh, cloud.subset(morton_order(cloud.means)).sh, atol=1e-6)


def test_frame_says_which_way_is_up() -> None:
    cloud = lopsided_cloud(50, degree=3)
    data = sog.encode(cloud)
    flip = np.diag([1.0, -1.0, -1.0])
    ahead = np.float64([0.36, 0.48, -0.8])

    ours, raw = sog.decode(data), sog.decode(data, frame="rub")

    assert ours.means[:, 1].min() > 0 > raw.means[:, 1].max()
    np.testing.assert_array_equal(raw.means, ours.means * np.float32([1, -1, -1]))
    np.testing.assert_allclose(covariances(raw), flip @ covariances(ours) @ flip, atol=1e-9)
    np.testing.assert_allclose(evaluate(raw.sh, flip @ ahead), evaluate(ours.sh, ahead), atol=1e-5)


def test_unbundled_folder_of_splat_transform_equals_the_ply_made_from_it() -> None:
    ply_cloud = read_splats(shared("splats/converted_playbot_lod3/playbot_lod3.ply"))

    cloud = read_splats(shared("splats/playbot_lod_sog/3_0/meta.json"))

    assert len(cloud) == 31_000 and cloud.sh_degree == 2
    np.testing.assert_allclose(cloud.means, ply_cloud.means, atol=1e-6)
    np.testing.assert_allclose(cloud.scales, ply_cloud.scales, rtol=1e-5)
    np.testing.assert_allclose(cloud.opacities, ply_cloud.opacities, atol=1e-6)
    np.testing.assert_array_equal(cloud.sh, ply_cloud.sh)
    assert angles_deg(cloud.quats, ply_cloud.quats).max() < 0.05


def test_levels_of_a_streamed_scene_are_read() -> None:
    files = FolderFiles(shared("splats/playbot_lod_sog"))
    counts = [3, 4, 5, 6]
    meta = sog.describe_lod(files)

    clouds = [sog.decode_lod(files, level=level) for level in counts]

    assert meta.level_count == 7 and meta.splat_count(0) == 500_000
    assert [len(cloud) for cloud in clouds] == [31_000, 8_406, 3_000, 1_873]
    whole = sog.decode_files(FolderFiles(shared("splats/playbot_lod_sog/6_0")))
    np.testing.assert_array_equal(clouds[-1].means, whole.means)
    with pytest.raises(AssetFormatError, match="must be 0 to 6, got 7"):
        sog.decode_lod(files, level=7)


def test_statue_in_a_bundle_is_upright_where_its_ply_is_not() -> None:
    # The owner's editor saved the SOG in the frame of the format and the PLY turned over.
    statue = read_splats(shared("splats/angel.sog"))
    turned = read_splats(shared("splats/angel.compressed.ply"))

    assert len(statue) == 71_359 and len(turned) == 71_377
    for cloud, sign in ((statue, 1), (turned, -1)):
        heights = sign * cloud.means[:, 1]
        is_low = heights < np.percentile(heights, [1, 99]).mean()
        # White marble on a dark plinth.
        bright, dark = (rgb_from_dc(cloud.sh[mask, 0]).mean() for mask in (~is_low, is_low))
        assert bright > 1.3 * dark


def test_deflated_and_described_zip_entries_are_read() -> None:
    cloud = lopsided_cloud(30)
    files = sog.encode_files(cloud)

    packed = zipped(files, zipfile.ZIP_DEFLATED)

    np.testing.assert_array_equal(sog.decode(packed).means, sog.decode(sog.encode(cloud)).means)


_BROKEN: list[tuple[dict[str, Any], str]] = [
    ({"version": 3}, "version must be 2, or absent for 1, got 3"),
    ({"version": 1}, "version must be 2, or absent for 1, got 1"),
    ({"version": True}, "version must be an integer"),
    ({"count": 0}, "count must be an integer from 1"),
    ({"count": 2**32 - 1}, "count must be an integer from 1 to 20000000"),
    ({"count": 19_000_000}, "must fit pictures of"),
    ({"count": 900}, "must have 900 to .* pixels, got 20 x 16"),
    ({"means": None}, "means must be an object, got NoneType"),
    ({"means__mins": [0, 0]}, "mins must be 3 numbers"),
    ({"means__mins": [0, 0, "x"]}, "mins must be 3 numbers"),
    ({"means__mins": [0, 0, 10**400]}, "mins must be finite"),
    ({"means__maxs": [0, 0, 21]}, "logarithms up to 20"),
    ({"means__files": ["means_l.webp"]}, "files must be 2 names"),
    ({"scales__codebook": []}, "codebook must be 1 to 256 numbers"),
    ({"scales__codebook": [0.5]}, "scales codebook must have .* entries, got 1"),
    ({"scales__codebook": [90.0] * 256}, "logarithms up to 20"),
    ({"quats__files": ["../quats.webp"]}, "stay inside their folder"),
    ({"quats__files": ["/etc/passwd"]}, "stay inside their folder"),
    ({"quats__files": ["http://example.org/q.webp"]}, "stay inside their folder"),
    ({"quats__files": ["other.webp"]}, "must hold 'other.webp', found none"),
    ({"quats__files": ["meta.json"]}, "must be WebP"),
    ({"shN__bands": 4}, "bands must be an integer from 0 to 3"),
    ({"shN__bands": 1}, "palette width must be 192 pixels, got 512"),
    ({"shN__count": 1}, "labels must be below 1, got"),
    ({"shN__count": 60_000}, "palette must have 60000 places"),
    ({"shN__files": ["shN_centroids.webp", "no.webp"]}, "must hold 'no.webp'"),
]


@pytest.mark.parametrize(("changes", "message"), _BROKEN)
def test_broken_meta_is_named(changes: dict[str, Any], message: str) -> None:
    files = sog.encode_files(lopsided_cloud(300, degree=2))

    with pytest.raises(AssetFormatError, match=message):
        sog.decode(zipped(with_meta(files, **changes)))


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("meta.json", b"{", "meta.json must parse"),
        ("meta.json", b"[" * 100_000, "meta.json must parse"),
        ("meta.json", b'{"version": NaN}', "non-JSON number NaN"),
        ("meta.json", b"[]", "must be an object, got list"),
        ("meta.json", b" " * (9 * 2**20), "must be at most 8388608 bytes"),
        ("quats.webp", b"", "must be WebP"),
        ("quats.webp", _webp(np.zeros((4, 4, 4))), "must have 40 to .* pixels, got 4 x 4"),
        ("quats.webp", _webp(np.zeros((16_000, 5, 4))), "must have 40 to .* pixels, got 5 x 16000"),
        ("quats.webp", _webp(np.zeros((8, 8, 4)), lossless=False), "must be a lossless still WebP"),
        ("quats.webp", b"RIFF\x10\0\0\0WEBPVP8L\x05\0\0\0/\x07\xc0\x01\0\0", "must decode"),
        ("quats.webp", b"RIFF\x10\0\0\0WEBPEXIF\x02\0\0\0ab", "must hold lossless WebP data, found none"),
    ],
)
def test_broken_file_inside_is_named(name: str, data: bytes, message: str) -> None:
    files = {**sog.encode_files(lopsided_cloud(40)), name: data}

    with pytest.raises(AssetFormatError, match=message):
        sog.decode(zipped(files))


def test_every_cut_is_refused() -> None:
    data = sog.encode(lopsided_cloud(3))

    # A zip ends in its table of contents, without which it is none.
    for length in range(len(data)):
        with pytest.raises(AssetFormatError):
            sog.decode(data[:length])


def test_every_cut_of_a_picture_is_refused() -> None:
    files = sog.encode_files(lopsided_cloud(9))
    picture = files["means_u.webp"]

    for length in range(len(picture) - 1):  # a last byte may only pad
        with pytest.raises(AssetFormatError):
            sog.decode(zipped({**files, "means_u.webp": picture[:length]}))


def test_random_damage_gives_our_error_or_a_cloud() -> None:
    files = sog.encode_files(lopsided_cloud(6, degree=1))
    bundle = zipped(files)
    broken = list(damaged(bundle, 400, seed=5))
    for name in files:
        broken += [zipped({**files, name: part}) for part in damaged(files[name], 60, seed=len(name))]

    for data in broken:
        try:
            cloud = sog.decode(data)
        except AssetFormatError:
            continue
        assert np.isfinite(cloud.means).all() and np.isfinite(cloud.sh).all()


def _peak_of_refusal(data: bytes, message: str) -> int:
    tracemalloc.start()
    with pytest.raises(AssetFormatError, match=message):
        sog.decode(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def test_bombs_cost_no_memory() -> None:
    files = sog.encode_files(lopsided_cloud(40))
    deflated = zipped({**files, "quats.webp": bytes(200_000_000)}, zipfile.ZIP_DEFLATED)
    pixels = bytearray(_webp(np.zeros((1, 8, 4))))
    pixels[21:25] = (16382 | 16382 << 14).to_bytes(4, "little")
    huge = zipped({**files, "quats.webp": bytes(pixels)})
    lying = bytearray(zipped(files))
    lying_at = lying.rindex(b"PK\x01\x02")  # the last entry of the table says its size
    lying[lying_at + 24 : lying_at + 28] = struct.pack("<I", 2**32 - 2)

    assert _peak_of_refusal(deflated, "must be at most .* bytes, got 200000000") < 3e6
    assert _peak_of_refusal(huge, "pixels, got 16383 x 16383") < 3e6
    assert _peak_of_refusal(bytes(lying), "must fit its .* packed bytes, got 4294967294") < 3e6


def test_many_entries_are_refused() -> None:
    with pytest.raises(AssetFormatError, match="at most 64 files, got 70"):
        sog.decode(zipped({f"{i}.webp": b"" for i in range(70)}))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"lodLevels": 0}, "lodLevels must be an integer from 1"),
        ({"filenames": []}, "must name 1 to"),
        ({"filenames": [3]}, "filenames must be some names"),
        ({"filenames": ["../a/meta.json"]}, "stay inside"),
        ({"environment": 3}, "environment must be a file name"),
        ({"tree": []}, "tree must be an object"),
        ({"tree": {"children": 3}}, "children must be a list"),
        ({"tree": {"lods": {"9": {}}}}, "level must be below 1, got '9'"),
        (
            {"tree": {"lods": {"0": {"file": 1, "offset": 0, "count": 1}}}},
            "file must be an integer from 0 to 0",
        ),
        (
            {"tree": {"lods": {"0": {"file": 0, "offset": 0, "count": 50}}}},
            "below 40 of 'a/meta.json', got 50",
        ),
        ({"tree": {}}, "level 0 must have 1 to"),
    ],
)
def test_broken_tree_of_levels_is_named(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    (tmp_path / "a").mkdir()
    for name, data in sog.encode_files(lopsided_cloud(40)).items():
        (tmp_path / "a" / name).write_bytes(data)
    tree = {"lods": {"0": {"file": 0, "offset": 0, "count": 40}}}
    meta = {"lodLevels": 1, "filenames": ["a/meta.json"], "tree": tree, **changes}
    (tmp_path / "lod-meta.json").write_text(json.dumps(meta), "utf-8")

    with pytest.raises(AssetFormatError, match=message):
        sog.decode_lod(FolderFiles(tmp_path))


def test_parts_of_a_tree_and_its_sky_become_one_cloud(tmp_path: Path) -> None:
    for folder, cloud in (("a", lopsided_cloud(40)), ("sky", lopsided_cloud(8, degree=1, seed=3))):
        (tmp_path / folder).mkdir()
        for name, data in sog.encode_files(cloud).items():
            (tmp_path / folder / name).write_bytes(data)
    leaves = [{"lods": {"0": {"file": 0, "offset": o, "count": n}}} for o, n in ((30, 10), (5, 20))]
    leaves[1]["lods"]["0"]["file"] = 1  # the same file, named twice
    meta = {"lodLevels": 1, "filenames": ["a/meta.json"] * 2, "environment": "sky/meta.json"}
    text = json.dumps({**meta, "tree": {"children": leaves}})
    (tmp_path / "lod-meta.json").write_text(text, "utf-8")
    whole = sog.decode_files(FolderFiles(tmp_path / "a"))

    cloud = sog.decode_lod(FolderFiles(tmp_path))

    assert len(cloud) == 38 and cloud.sh_degree == 1
    np.testing.assert_array_equal(cloud.means[:10], whole.means[30:])
    np.testing.assert_array_equal(cloud.means[10:30], whole.means[5:25])


def test_empty_cloud_is_refused() -> None:
    with pytest.raises(AssetFormatError, match="at least one splat"):
        sog.encode(lopsided_cloud(2).subset(slice(0, 0)))
