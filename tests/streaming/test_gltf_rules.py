from __future__ import annotations

import random
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from reconstruction.splats import SplatCloud
from streaming import gltf, khr_gaussian_splatting, tiles
from streaming.errors import AssetFormatError
from streaming.gltf_rules import dialects, problems
from streaming.khr_gaussian_splatting import COLOR_SPACE, EXTENSION, OPACITY, ROTATION, SCALE, add_primitive
from tests.streaming.splat_clouds import lopsided_cloud

DC = f"{EXTENSION}:SH_DEGREE_0_COEF_0"


def _document(edit: Callable[[dict[str, Any], gltf.BufferBuilder], None], cloud: SplatCloud) -> gltf.Gltf:
    """Return a document whose only primitive was edited together with the accessors it may add."""
    builder = gltf.BufferBuilder()
    primitive = add_primitive(builder, cloud)
    edit(primitive, builder)
    document = {
        "asset": {"version": "2.0"},
        "extensionsUsed": [EXTENSION],
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [primitive]}],
    }
    return gltf.decode(builder.finish(document))


def _replace(name: str, values: np.ndarray, **options: bool) -> Callable[..., None]:
    def edit(primitive: dict[str, Any], builder: gltf.BufferBuilder) -> None:
        primitive["attributes"][name] = builder.add(values, bounds=name == "POSITION", **options)

    return edit


def _pop(name: str) -> Callable[..., None]:
    return lambda primitive, _: primitive["attributes"].pop(name)


CLOUD = lopsided_cloud(40, degree=1)
XYZW = np.roll(CLOUD.quats, -1, axis=1)
POSITIVE_W = np.where(CLOUD.quats[:, :1] < 0, -CLOUD.quats, CLOUD.quats)
SOME_NAN = np.where(np.arange(40)[:, None] < 3, np.float32("nan"), CLOUD.sh[:, 0])


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda p, _: p.update(mode=4), "mode must be 0"),
        (lambda p, _: p["extensions"][EXTENSION].update(kernel="box"), "kernel must be ellipse, got 'box'"),
        (lambda p, _: p["extensions"][EXTENSION].pop("colorSpace"), f"colorSpace must be {COLOR_SPACE}"),
        (_pop("COLOR_0"), "white points"),
        (_pop(SCALE), "must have the attribute KHR_gaussian_splatting:SCALE, found none"),
        (_pop(f"{EXTENSION}:SH_DEGREE_1_COEF_1"), "complete up to degree 1, found no SH_DEGREE_1_COEF_1"),
        (_replace(f"{EXTENSION}:COLOUR", CLOUD.sh[:, 0]), "COLOUR is not an attribute of the extension"),
        (_replace(DC, CLOUD.sh[:, 0].clip(0, 1).astype(np.uint8)), "COEF_0 must not have components of type"),
        (_replace(ROTATION, XYZW[:, :3]), "ROTATION must be VEC4, got 'VEC3'"),
        (_replace(ROTATION, (XYZW * 127).astype(np.int8)), "ROTATION must be normalized"),
        (_replace(ROTATION, XYZW * 1.1), "unit length"),
        (_replace(ROTATION, POSITIVE_W), "as if w came first"),
        (_replace(SCALE, np.log(CLOUD.scales)), "scales are logarithms"),
        (_replace(OPACITY, np.float32(CLOUD.opacities * 9 - 4)), "opacities must lie between 0 and 1"),
        (_replace(OPACITY, CLOUD.opacities[:9]), r"one count, got \['40', '9'\]"),
        (_replace(DC, SOME_NAN), "COEF_0 must be finite, got 3 of 40"),
    ],
)
def test_each_broken_rule_is_named(edit: Callable[..., None], message: str) -> None:
    found = problems(_document(edit, CLOUD))

    assert any(re.search(message, line) for line in found), found


def test_our_own_primitive_breaks_none() -> None:
    document = _document(lambda *_: None, CLOUD)

    assert problems(document) == [] and dialects(document) == []


def test_w_last_and_positive_is_not_taken_for_w_first() -> None:
    document = _document(_replace(ROTATION, np.roll(POSITIVE_W, -1, axis=1)), CLOUD)

    assert problems(document) == []


def test_fallback_left_in_srgb_is_a_dialect() -> None:
    display = np.clip(0.5 + 0.28209479 * CLOUD.sh[:, 0], 0, 1)
    rgba = np.rint(np.concatenate([display, CLOUD.opacities[:, None]], axis=1) * 255).astype(np.uint8)

    document = _document(_replace("COLOR_0", rgba, normalized=True), CLOUD)

    assert dialects(document) == ["sRGB COLOR_0"]
    assert problems(document) == [
        "COLOR_0 must be linear, got sRGB values: its fallback points are too bright"
    ]


def test_signalling_nan_is_named_and_raises_no_warning() -> None:
    colors = CLOUD.sh[:, 0].copy()
    colors.view(np.uint32)[5, 1] = 0x7FA00001

    found = problems(_document(_replace(DC, colors), CLOUD))

    assert any("COEF_0 must be finite, got 1 of 40" in line for line in found)


def test_white_fallback_is_no_dialect() -> None:
    white = np.full((40, 4), 255, np.uint8)

    assert dialects(_document(_replace("COLOR_0", white, normalized=True), CLOUD)) == []


def test_attributes_of_the_first_draft_are_a_dialect() -> None:
    def rename(primitive: dict[str, Any], _: Any) -> None:
        attributes = primitive["attributes"]
        attributes["_SCALE"] = attributes.pop(SCALE)

    assert dialects(_document(rename, CLOUD)) == ["early SPZ names"]


def _values_of(tree: Any) -> list[tuple[Any, Any]]:
    """Return every place of a JSON tree as container and key."""
    places = []
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in items:
        places += [(tree, key), *_values_of(value)]
    return places


@pytest.mark.parametrize("encode", [khr_gaussian_splatting.encode, tiles.encode_glb])
def test_any_value_of_the_json_may_be_nonsense(encode: Callable[[SplatCloud], bytes]) -> None:
    parsed = gltf.decode(encode(lopsided_cloud(5, degree=1)))
    noise = random.Random(4)
    nonsense = [None, True, -1, 2**32 - 1, 1e300, "x", [], {}, [0], {"a": 1}, [[]], 3]

    for _ in range(1200):
        document = _copy(parsed.document)
        for _ in range(noise.randint(1, 2)):
            container, key = noise.choice(_values_of(document))
            container[key] = noise.choice(nonsense)
        data = gltf.encode_glb(document, parsed.buffers[0])
        for call in (khr_gaussian_splatting.decode, lambda d: problems(gltf.decode(d)), _dialects):
            try:
                call(data)
            except AssetFormatError as error:
                assert "\n" not in str(error) and len(str(error)) < 400


def _dialects(data: bytes) -> list[str]:
    return dialects(gltf.decode(data))


def _copy(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {key: _copy(value) for key, value in tree.items()}
    return [_copy(value) for value in tree] if isinstance(tree, list) else tree
