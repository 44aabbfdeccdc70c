"""Every reader of files from outside, with the good files that are damaged for it: a line each in PARSERS."""

from __future__ import annotations

import io
import json
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import zstandard

from reconstruction.splats import SplatCloud
from streaming import (
    compressed_ply,
    gltf,
    gltf_rules,
    harmonics_codec,
    khr_gaussian_splatting,
    ksplat,
    mesh_file,
    one_glb,
    ply,
    scene_summary,
    sog,
    splat_codec,
    splat_file,
    spz,
    tiles,
    tileset,
)
from streaming.assemble import encode_collider
from streaming.errors import AssetFormatError
from streaming.export import encode_asset
from streaming.pack import asset_json, parse_asset_json
from streaming.sog_files import SogFiles
from tests.fuzz.damage import Seed
from tests.streaming.scenes_to_carry import rich_asset
from tests.streaming.splat_clouds import lopsided_cloud
from tests.streaming.test_ksplat import by_hand
from tests.streaming.test_sog import version_one

CLOUDS = [lopsided_cloud(3, degree=degree, seed=degree + 1) for degree in (0, 1, 2, 3)]


@dataclass(frozen=True)
class Parser:
    """A reader that returns what it opened, checked, and raises AssetFormatError on the rest."""

    read: Callable[[bytes], None]
    seeds: list[Seed]


class _Memory(SogFiles):
    """A folder that is none: a million inputs touch no disk, and only the damaged file is decoded anew."""

    def __init__(self, files: dict[str, bytes], pictures: dict[Any, np.ndarray], damaged: str) -> None:
        self._files = files
        self._pictures = pictures
        self._damaged = damaged

    def pixels(self, name: str, *, at_least: int, at_most: int | None = None) -> np.ndarray:
        key = name, at_least, at_most
        if name == self._damaged:
            return super().pixels(name, at_least=at_least, at_most=at_most)
        if key not in self._pictures:
            self._pictures[key] = super().pixels(name, at_least=at_least, at_most=at_most)
        return self._pictures[key]

    def byte_length(self, name: str) -> int:
        if name not in self._files:
            raise AssetFormatError(f"its folder must hold {name!r}, found none")
        return len(self._files[name])

    def _load(self, name: str, byte_length: int) -> bytes:
        return self._files[name][:byte_length]


def _cloud(decode: Callable[[Any], SplatCloud]) -> Callable[[bytes], None]:
    def read(data: bytes) -> None:
        cloud = decode(data)
        for values in (cloud.means, cloud.quats, cloud.scales, cloud.opacities, cloud.sh):
            assert np.isfinite(values).all()
        assert len(cloud) > 0 and (cloud.scales > 0).all()
        assert (cloud.opacities >= 0).all() and (cloud.opacities <= 1).all()
        assert np.abs((cloud.quats.astype(np.float64) ** 2).sum(axis=1) - 1).max() < 1e-3

    return read


def _mesh(data: bytes) -> None:
    vertices, faces = mesh_file.read_mesh(data)
    assert np.isfinite(vertices).all() and faces.min() >= 0 and faces.max() < len(vertices)


def _judged_glb(data: bytes) -> SplatCloud:
    document = gltf.decode(data)
    for judge in (gltf_rules.problems, gltf_rules.notes, gltf_rules.dialects):
        assert all("\n" not in line and len(line) < 400 for line in judge(document))
    return khr_gaussian_splatting.decode(data)


def _in_folder(decode: Callable[[SogFiles], SplatCloud], files: dict[str, bytes], name: str) -> Callable:
    pictures: dict[Any, np.ndarray] = {}
    return lambda data: decode(_Memory({**files, name: data}, pictures, name))


def _glb_seeds(files: list[bytes]) -> list[Seed]:
    """Return each GLB as bytes, its JSON, and its buffer."""
    seeds = []
    for data in files:
        parsed = gltf.decode(data)
        text = json.dumps(parsed.document).encode()
        buffer = parsed.buffers[0]

        def with_json(text: bytes, buffer: bytes = buffer) -> bytes:
            text += b" " * (-len(text) % 4)
            head = struct.pack("<4sIIII", b"glTF", 2, 28 + len(text) + len(buffer), len(text), 0x4E4F534A)
            return head + text + struct.pack("<II", len(buffer), 0x004E4942) + buffer

        def with_buffer(buffer: bytes, document: Any = parsed.document) -> bytes:
            return gltf.encode_glb(document, buffer)

        seeds += [Seed(data), Seed(text, with_json, "json"), Seed(buffer, with_buffer)]
    return seeds


def _moved_glb(cloud: SplatCloud) -> bytes:
    """Return a GLB with nested, turned nodes, quantised accessors and a second scene."""
    parsed = gltf.decode(khr_gaussian_splatting.encode(cloud, layout="compact"))
    quat = [0.5, 0.1, -0.7, 0.5]
    nodes = [
        {"children": [1, 2], "translation": [1, 2, 3]},
        {"mesh": 0, "rotation": quat, "scale": [2, 2, 2]},
        {"matrix": [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 5, 0, 0, 1], "mesh": 0},
    ]
    scenes = [{"nodes": []}, {"nodes": [0]}]
    return gltf.encode_glb(
        {**parsed.document, "nodes": nodes, "scenes": scenes, "scene": 1}, parsed.buffers[0]
    )


def _inflated(version: int) -> list[Seed]:
    files = [spz.encode(cloud, version=version) for cloud in CLOUDS]
    plain = [Seed(zlib.decompress(data, 31), lambda d: zlib.compress(d, 1, 31)) for data in files]
    return [*plain, Seed(files[1]), *plain]


def _streams_v4(data: bytes) -> Seed:
    """Return the streams of an SPZ 4 as they are unpacked: damage must get past zstd."""
    at = int.from_bytes(data[16:20], "little")
    rows = [struct.unpack_from("<QQ", data, at + 16 * i) for i in range(data[15])]
    offset, streams = at + 16 * len(rows), []
    for packed, _ in rows:
        streams.append(zstandard.ZstdDecompressor().decompress(data[offset : offset + packed]))
        offset += packed
    sizes = [len(stream) for stream in streams]
    compressor = zstandard.ZstdCompressor(level=1)

    def wrap(body: bytes) -> bytes:
        head, rest = body[:at], body[at:]
        parts = []
        for size in sizes[:-1]:
            parts.append(rest[:size])
            rest = rest[size:]
        frames = [(compressor.compress(part), len(part)) for part in (*parts, rest)]
        table = b"".join(struct.pack("<QQ", len(frame), size) for frame, size in frames)
        return head + table + b"".join(frame for frame, _ in frames)

    return Seed(data[:at] + b"".join(streams), wrap)


def _ascii(cloud: SplatCloud) -> bytes:
    binary = ply.encode(cloud)
    header = ply.read_header(binary)
    rows = np.frombuffer(binary, header.elements[0].dtype, len(cloud), header.byte_length)
    text = binary[: header.byte_length].replace(b"binary_little_endian", b"ascii")
    return text + b"".join(b" ".join(b"%.9g" % v for v in row.item()) + b"\n" for row in rows)


def _ply_seeds(files: list[bytes]) -> list[Seed]:
    """Return each PLY as bytes, and its header as words before a body that stays whole."""
    seeds = []
    for data in files:
        end = ply.read_header(data).byte_length
        body = data[end:]
        seeds += [Seed(data), Seed(data[:end], lambda head, body=body: head + body, "words")]
    return seeds


def _dense_ksplat(level: int) -> Seed:
    """Return a .ksplat without the kilobytes of zeros that fill its headers."""
    data = by_hand(level)
    return Seed(
        data[:48] + data[4096 : 4096 + 48] + data[5120:],
        lambda d: d[:48].ljust(4096, b"\0") + d[48:96].ljust(1024, b"\0") + d[96:],
    )


def _zip(files: dict[str, bytes]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as bundle:
        for key, value in files.items():
            bundle.writestr(zipfile.ZipInfo(key), value)
    return target.getvalue()


def _sog_bundle() -> Parser:
    files = [sog.encode_files(cloud) for cloud in CLOUDS[:2]]
    # The codebooks are a hundred times as long as all the rest.
    short = [{**f, "meta.json": _shortened(f["meta.json"])} for f in files]
    return Parser(_cloud(sog.decode), [*map(Seed, map(_zip, short)), Seed(_zip({"meta.json": b"{}"}))])


def _shortened(meta: bytes) -> bytes:
    """Return a meta.json with codebooks of the length that three splats need."""
    tree = json.loads(meta)
    for entry in (tree["scales"], tree["sh0"], tree.get("shN", {})):
        if "codebook" in entry:
            entry["codebook"] = sorted(set(entry["codebook"]))
    return json.dumps(tree).encode()


def _sog_meta() -> Parser:
    files = sog.encode_files(CLOUDS[1])
    metas = [_shortened(sog.encode_files(cloud)["meta.json"]) for cloud in CLOUDS[:2]]
    read = _in_folder(sog.decode_files, files, "meta.json")
    return Parser(_cloud(read), [Seed(meta, kind="json") for meta in metas])


def _sog_one() -> Parser:
    files = version_one()
    return Parser(
        _cloud(_in_folder(sog.decode_files, files, "meta.json")), [Seed(files["meta.json"], kind="json")]
    )


def _sog_picture() -> Parser:
    files = sog.encode_files(CLOUDS[1])
    pictures = [files[name] for name in ("quats.webp", "means_u.webp", "shN_centroids.webp")]
    return Parser(_cloud(_in_folder(sog.decode_files, files, "quats.webp")), list(map(Seed, pictures)))


def _lod_meta() -> Parser:
    files = {
        f"{folder}/{name}": data for folder in "ab" for name, data in sog.encode_files(CLOUDS[0]).items()
    }
    lods = {str(level): {"file": level, "offset": 1 - level, "count": 2} for level in (0, 1)}
    tree = {"bound": {"min": [0, 0, 0], "max": [1, 2, 3]}, "children": [{"lods": lods}, {"children": []}]}
    names = ["a/meta.json", "b/meta.json"]
    meta = {"version": 1, "lodLevels": 2, "filenames": names, "environment": None, "tree": tree}
    text = json.dumps(meta).encode()
    return Parser(_cloud(_in_folder(sog.decode_lod, files, "lod-meta.json")), [Seed(text, kind="json")])


def _tileset() -> Parser:
    files = {name: khr_gaussian_splatting.encode(CLOUDS[0]) for name in ("a.glb", "b.glb", "c.glb")}
    inner = {"asset": {"version": "1.1"}, "root": {"content": {"uri": "c.glb"}, "refine": "ADD"}}
    files["inner.json"] = json.dumps(inner).encode()
    far = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 4e6, 5e6, 6e5, 1]
    tile = {"content": {"uri": "a.glb"}, "refine": "ADD", "transform": far}
    leaves = [{"contents": [{"uri": "b.glb"}]}, {"content": {"uri": "inner.json"}, "transform": far}]
    outer = {"asset": {"version": "1.1"}, "geometricError": 5, "root": {**tile, "children": leaves}}
    texts = [json.dumps(outer).encode(), tiles.encode_files(CLOUDS[0])["tileset.json"]]
    files["splats.glb"] = tiles.encode_glb(CLOUDS[1])
    read = _in_folder(tileset.decode_files, files, "tileset.json")
    return Parser(_cloud(read), [Seed(text, kind="json") for text in texts])


def _collider() -> list[bytes]:
    vertices = np.array([[0, 0, 1], [2, 0.5, 0], [0, 3, -1], [4, 1, 2]], np.float32)
    return [encode_collider(vertices, np.array([[0, 1, 2], [2, 1, 3]], np.int32))]


def _whole_scene(data: bytes) -> None:
    scene = one_glb.read_glb(data, title="x")
    scene_summary.summarize(gltf.decode(data))
    # Whatever was read can be kept and read again.
    parse_asset_json(asset_json(one_glb.asset_of(scene, file_name="x.glb")).encode())


def _packed(data: bytes) -> SplatCloud:
    return splat_codec.decode([data])[0]


def _layer(data: bytes) -> None:
    rest = harmonics_codec.decode(data)
    assert rest.ndim == 3 and np.isfinite(rest).all()


PARSERS: dict[str, Callable[[], Parser]] = {
    "packed": lambda: Parser(
        _cloud(_packed), [Seed(one.payload) for one in splat_codec.encode([*CLOUDS, lopsided_cloud(40)])]
    ),
    "harmonics": lambda: Parser(_layer, [Seed(one.payload) for one in harmonics_codec.encode(CLOUDS[1:])]),
    "whole_scene": lambda: Parser(_whole_scene, _glb_seeds([encode_asset(rich_asset(3))])),
    "glb": lambda: Parser(
        _cloud(_judged_glb),
        _glb_seeds([*map(khr_gaussian_splatting.encode, CLOUDS[:2]), _moved_glb(CLOUDS[1])]),
    ),
    "spz_in_glb": lambda: Parser(_cloud(_judged_glb), _glb_seeds(list(map(tiles.encode_glb, CLOUDS[:2])))),
    "spz_2": lambda: Parser(_cloud(spz.decode), _inflated(2)),
    "spz_3": lambda: Parser(_cloud(spz.decode), _inflated(3)),
    "spz_4": lambda: Parser(
        _cloud(spz.decode),
        [s for c in CLOUDS for d in [spz.encode(c, version=4)] for s in (Seed(d), _streams_v4(d))],
    ),
    "ply": lambda: Parser(_cloud(ply.decode), _ply_seeds(list(map(ply.encode, CLOUDS)))),
    "ply_ascii": lambda: Parser(
        _cloud(ply.decode), [s for c in CLOUDS[:2] for s in (Seed(_ascii(c)), Seed(_ascii(c), kind="words"))]
    ),
    "compressed_ply": lambda: Parser(
        _cloud(ply.decode), _ply_seeds(list(map(compressed_ply.encode, CLOUDS)))
    ),
    "sog": _sog_bundle,
    "sog_meta": _sog_meta,
    "sog_1_meta": _sog_one,
    "sog_picture": _sog_picture,
    "lod_meta": _lod_meta,
    "splat": lambda: Parser(_cloud(splat_file.decode), list(map(Seed, map(splat_file.encode, CLOUDS)))),
    "ksplat": lambda: Parser(_cloud(ksplat.decode), list(map(_dense_ksplat, (0, 1, 2)))),
    "tileset": _tileset,
    "mesh": lambda: Parser(_mesh, _glb_seeds(_collider())),
}
