"""A server on loopback that makes worlds, SPZ files and a collider, and does wrong on request."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from reconstruction.conventions import quats_from_rotmats
from reconstruction.fusion import Mesh
from reconstruction.splats import SplatCloud
from streaming import spz
from streaming.assemble import encode_collider
from streaming.transform import RDF_SIGNS, flip_axes, transform
from tests.immersive.fake_clip_services import Call, FakeService
from tests.reconstruction.rooms import l_room

EYE = np.array([1.2, 1.6, 1.0], np.float32)  # where the room's origin is seen from


def eyed_room() -> Mesh:
    """The L-shaped room, seen from an eye at the origin."""
    room = l_room()
    return Mesh((room.vertices - EYE).astype(np.float32), room.faces)


def splats_on(mesh: Mesh, count: int = 9_000, seed: int = 5) -> SplatCloud:
    """Flat splats all over a mesh, coloured by place."""
    rng = np.random.default_rng(seed)
    a, b, c = np.moveaxis(mesh.corners.astype(np.float64), 1, 0)
    areas = np.linalg.norm(np.cross(b - a, c - a), axis=1) / 2
    chosen = rng.choice(len(mesh), count, p=areas / areas.sum())
    u, v = rng.random((2, count, 1))
    over = u + v > 1
    u, v = np.where(over, 1 - u, u), np.where(over, 1 - v, v)
    means = a[chosen] + u * (b - a)[chosen] + v * (c - a)[chosen]
    normal = mesh.normals[chosen].astype(np.float64)
    along = np.cross(normal, np.where(np.abs(normal[:, :1]) > 0.9, [[0.0, 1.0, 0.0]], [[1.0, 0.0, 0.0]]))
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    turns = np.stack([along, np.cross(normal, along), normal], axis=2)
    quats = quats_from_rotmats(turns)
    spread = 1.3 * float(np.sqrt(areas.sum() / count))
    return SplatCloud(
        means.astype(np.float32),
        (quats / np.linalg.norm(quats, axis=1, keepdims=True)).astype(np.float32),
        np.tile(np.array([spread, spread, 0.01], np.float32), (count, 1)),
        np.full(count, 0.97, np.float32),
        (0.9 * np.sin(means * [1.0, 2.0, 3.0]))[:, None].astype(np.float32),
    )


def world_files(
    *, units_per_metre: float = 1.0, frame: str = "rdf", count: int = 9_000
) -> tuple[bytes, bytes]:
    """Return the SPZ and the collider of the room, as the best-known service stores them."""
    room = eyed_room()
    cloud = transform(splats_on(room, count), np.diag([units_per_metre] * 3 + [1.0]))
    stored = flip_axes(cloud, RDF_SIGNS) if frame == "rdf" else cloud
    return spz.encode(stored), encode_collider(room.vertices * np.float32(units_per_metre), room.faces)


@dataclass
class FakeWorldService(FakeService):
    """`clip` holds the splats. `script` holds replies that come before the usual ones."""

    collider: bytes | None = None
    sizes: tuple[str, ...] = ("100k", "500k", "full_res")
    metres_per_unit: float | None = None
    is_apart: bool = False  # the operation names its world, which is asked for next
    answers: dict[str, Any] = field(default_factory=dict)  # in place of the usual ones, by the path's end

    @property
    def orders(self) -> list[Call]:
        return [call for call in self.calls if call.method == "POST"]

    def answer(self, call: Call) -> tuple[int, dict[str, str], Any]:
        self.calls.append(call)
        if self.script:
            return self.script.pop(0)
        path = urlsplit(call.path).path
        for end, reply in self.answers.items():
            if path.endswith(end):
                return 200, {}, reply
        if path == "/files/collider.glb":
            return 200, {}, self.collider or b""
        if path.startswith("/files/"):
            return 200, {}, self.clip
        if call.method == "POST" and path == "/marble/v1/worlds:generate":
            return 200, {}, {"operation_id": "op-1", "done": False}
        if path == "/marble/v1/operations/op-1":
            return 200, {}, self._operation()
        if path == "/marble/v1/worlds/w-9":
            return 200, {}, {"world": {"id": "w-9", "assets": self._assets()}}
        raise AssertionError(f"nobody asks for {call.method} {path}")

    def _operation(self) -> dict[str, Any]:
        polls = sum("/operations/" in call.path for call in self.calls)
        if polls < self.polls_until_done:
            progress = {"status": "IN_PROGRESS", "description": "painting the walls"}
            return {"operation_id": "op-1", "done": False, "metadata": {"progress": progress}}
        if self.failure:
            return {"operation_id": "op-1", "done": True, "error": {"code": 13, "message": self.failure}}
        world: dict[str, Any] = {"id": "w-9"} if self.is_apart else {"assets": self._assets()}
        return {"operation_id": "op-1", "done": True, "error": None, "response": world}

    def _assets(self) -> dict[str, Any]:
        splats: dict[str, Any] = {"spz_urls": {n: f"{self.url}/files/{n}.spz?sig=x" for n in self.sizes}}
        if self.metres_per_unit is not None:
            scale = {"metric_scale_factor": self.metres_per_unit, "ground_plane_offset": 0.4}
            splats["semantics_metadata"] = scale
        mesh = {"collider_mesh_url": f"{self.url}/files/collider.glb"} if self.collider else None
        return {"splats": splats, "mesh": mesh, "caption": "a room"}
