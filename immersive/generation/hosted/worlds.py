"""Hosted world models as a backend: `worlds`, or `worlds=MODEL`. Splats come back, with luck a collider."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from immersive.brief import SceneBrief
from immersive.errors import HostedError
from immersive.generation.backend import BackendSettings, Progress
from immersive.generation.made_world import MadeWorld
from immersive.generation.start_picture import jpeg_of, read_start, with_origin
from reconstruction.conventions import F32
from reconstruction.errors import InvalidInputError, MissingBackendError
from reconstruction.frames import Provenance
from reconstruction.placement import EYE_HEIGHT_M
from reconstruction.splats import SplatCloud
from streaming import spz
from streaming.errors import AssetFormatError
from streaming.mesh_file import read_mesh
from streaming.transform import transform

from .jobs import make_ordered
from .paid_jobs import PaidJobs
from .transport import Transport
from .world_service import WorldOrder, WorldsService

_URL, _KEY = "IMMERSIVE_WORLDS_URL", "IMMERSIVE_WORLDS_KEY"
_PRICE, _FRAME = "IMMERSIVE_WORLDS_USD", "IMMERSIVE_WORLDS_FRAME"
_FRAMES = ("auto", "rub", "rdf")
_MOST_SPLATS = 500_000  # where nobody says
_SAMPLE = 2_000  # splats that are held against a collider
# An eye that is nearer to the ground or further from it than this was not meant to be one.
_EYES = (0.02, 50.0)


def missing_variables(environment: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """Return the names of the variables that the backend still needs."""
    return () if environment.get(_URL) else (_URL,)


class HostedWorldGenerator:
    """A place that a service makes of a brief."""

    def __init__(
        self,
        name: str,
        provider: WorldsService,
        order: WorldOrder,
        settings: BackendSettings,
        frame: str,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.name = name
        self.notes: tuple[str, ...] = ()
        self._provider, self._order, self._settings = provider, order, settings
        self._frame, self._sleep = frame, sleep

    @property
    def about_usd(self) -> float | None:
        """About what a world costs; None if it is not known."""
        return self._provider.about_usd(self._order)

    def make_world(self, brief: SceneBrief, progress: Progress) -> MadeWorld:
        """Return the world, upright and in metres.

        Raises:
            InvalidInputError: It would cost more than is allowed.
            HostedError: The service refused, failed, or sent something that is no world.
        """
        if self._settings.journal is None:
            raise InvalidInputError("a hosted backend needs a folder for its journal, got none")
        image = None if self._settings.image is None else jpeg_of(read_start(self._settings.image))
        order = replace(self._order, prompt=brief.prompt, seed=brief.seed % 2**31, image=image)
        try:
            fetched = make_ordered(
                self._provider,
                order,
                PaidJobs(self._settings.journal),
                suffix=f".{self._provider.most_splats}.spz",
                most_cost_usd=self._settings.most_cost_usd,
                progress=progress,
                sleep=self._sleep,
            )
        finally:
            self._provider.close()
        progress(0.97, "reading the world")
        model = " ".join(part for part in (self.name, order.model) if part)
        detail = with_origin(model, self._settings.image)
        try:
            world, notes = _read(fetched.path, self._frame, Provenance(self.name, True, detail))
        except AssetFormatError as error:
            fetched.path.unlink(missing_ok=True)  # the next call fetches it again
            raise HostedError(
                f"what {self.name} sent is no world that can be read: {error}",
                hint="Run the same command again: it is fetched anew, nothing is ordered twice.",
            ) from error
        self.notes = (*fetched.notes, *notes)
        return world


def _read(path: Path, frame: str, provenance: Provenance) -> tuple[MadeWorld, list[str]]:
    """Return the world of fetched files, and what is to be told of them.

    Raises:
        AssetFormatError: The splats cannot be read. A collider that cannot is left out.
    """
    notes: list[str] = []
    data = path.read_bytes()
    vertices, faces = None, None
    collider = path.with_suffix(".glb")
    if collider.exists():
        try:
            vertices, faces = read_mesh(collider.read_bytes())
        except AssetFormatError as error:
            notes.append(f"the collider that came with the world was left out: {error}")
    cloud = _upright(data, frame, vertices, faces)
    metres_per_unit = _told_scale(path.with_suffix(".facts"))
    if metres_per_unit is None:
        metres_per_unit = _guessed_scale(cloud, vertices, faces)
        notes.append(
            f"the world's size is a guess: its first eye is taken to be {EYE_HEIGHT_M:g} m above the ground"
        )
    cloud = transform(cloud, np.diag([metres_per_unit] * 3 + [1.0]))
    if vertices is not None:
        vertices = vertices * np.float32(metres_per_unit)
    return MadeWorld(cloud, provenance, vertices, faces), notes


def _upright(data: bytes, frame: str, vertices: F32 | None, faces: NDArray[np.int32] | None) -> SplatCloud:
    """Return splats with +Y up. Where the file does not say, the collider does: glTF's up is ours.

    Without either it is right, down, forward, which the best-known service writes, whatever SPZ's owner says.
    """
    is_stated = spz.describe(data)[2]
    if frame != "auto" or is_stated:
        return spz.decode(data, frame=frame)  # type: ignore[arg-type]
    turned = spz.decode(data, frame="rdf")
    if vertices is None or faces is None:
        return turned
    from reconstruction.fusion import Collider, Mesh

    collider = Collider(Mesh(vertices, faces))
    plain = spz.decode(data, frame="rub")
    chosen = np.random.default_rng(0).permutation(len(plain))[:_SAMPLE]
    away = [float(np.median(collider.distance(cloud.means[chosen]))) for cloud in (turned, plain)]
    return turned if away[0] <= away[1] else plain


def _told_scale(path: Path) -> float | None:
    try:
        found = json.loads(path.read_text("utf-8")).get("metres_per_unit")
    except (OSError, ValueError, AttributeError):
        return None
    return float(found) if isinstance(found, int | float) else None


def _guessed_scale(cloud: SplatCloud, vertices: F32 | None, faces: NDArray[np.int32] | None) -> float:
    from reconstruction.look_around import height_over_ground, seen_of_cloud, seen_of_mesh

    has_mesh = vertices is not None and faces is not None
    height = height_over_ground(seen_of_mesh(vertices, faces) if has_mesh else seen_of_cloud(cloud))
    return EYE_HEIGHT_M / height if height is not None and _EYES[0] < height < _EYES[1] else 1.0


def create(
    name: str,
    settings: BackendSettings,
    environment: Mapping[str, str] = os.environ,
    sleep: Callable[[float], None] = time.sleep,
) -> HostedWorldGenerator:
    """Return the backend; its address and key come from the environment only.

    Raises:
        MissingBackendError: No address is set.
        InvalidInputError: The address is none, the key would travel unencrypted, or a variable has no sense.
    """
    missing = missing_variables(environment)
    if missing:
        raise MissingBackendError(name, f"needs {' and '.join(missing)}", "Set it in the environment.")
    frame = environment.get(_FRAME, "auto")
    if frame not in _FRAMES:
        raise InvalidInputError(f"{_FRAME} must be one of {', '.join(_FRAMES)}, got {frame[:20]!r}")
    key = environment.get(_KEY, "")
    transport = Transport(
        provider=name,
        base_url=environment[_URL],
        headers={"WLT-Api-Key": key} if key else {},
        key_variable=_KEY,
        thing="world",
        sleep=sleep,
    )
    service = WorldsService(transport, name, _price(environment), settings.most_splats or _MOST_SPLATS)
    return HostedWorldGenerator(
        name, service, WorldOrder("", 0, settings.model or ""), settings, frame, sleep
    )


def _price(environment: Mapping[str, str]) -> float | None:
    text = environment.get(_PRICE)
    if text is None:
        return None
    try:
        price = float(text)
    except ValueError:
        price = -1.0
    if not 0 <= price < 1_000:
        raise InvalidInputError(f"{_PRICE} must be a price in dollars, got {text[:20]!r}")
    return price
