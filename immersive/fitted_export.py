"""An export that keeps to bytes, decibels or a device: what `streaming.fit_to_size` is given for it."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from reconstruction.cameras import Cameras
from reconstruction.rasterizers.draw import draw_each
from reconstruction.splats import SplatCloud
from streaming.assemble import finest_cloud
from streaming.asset import SplatAsset
from streaming.export import encode_asset, write_whole
from streaming.fit_limits import Effort, Limits, Loss
from streaming.fit_to_size import fit_to_size
from streaming.validate import encode_files, read_splats
from streaming.visits import stops

from .progress import Reporter

EFFORT = Effort()
# Places to measure from must be others than those that choose.
_CHOOSING_SEED, _MEASURING_SEED = 1, 1000


def export_to_size(asset: SplatAsset, path: Path, limits: Limits, progress: Reporter) -> tuple[int, Loss]:
    """Write a scene as the file that its name asks for, made to keep to limits; returns bytes and loss.

    Raises:
        InvalidInputError: The limits cannot be kept.
    """
    started = time.process_time()
    progress.begin("fit", "Fitting to size")
    fitted = fit_to_size(
        finest_cloud(asset),
        SceneFile(asset, path.name),
        limits,
        draw_pictures,
        choosing_stops=stops(asset, seed=_CHOOSING_SEED),
        measuring_stops=stops(asset, seed=_MEASURING_SEED),
        background=asset.manifest.background,
        effort=EFFORT,
        progress=progress.update,
    )
    for name, data in fitted.files.items():
        write_whole(path.with_name(name), data)
    progress.end(time.process_time() - started)
    return fitted.byte_length, fitted.loss


def draw_pictures(cloud: SplatCloud, cameras: Cameras, background: Sequence[float]) -> Iterable[NDArray]:
    """Yield a picture [H, W, 3] per camera, as `streaming.fit_limits.Draw` asks."""
    return (picture.image for picture in draw_each(cloud, cameras, background=background))


class SceneFile:
    """A scene as files of the kind that a name asks for."""

    def __init__(self, asset: SplatAsset, name: str) -> None:
        self._asset, self._name = asset, name

    def encode(self, cloud: SplatCloud, loss: Mapping[str, Any]) -> dict[str, bytes]:
        """Return the files by name; of them only .glb and .compact.glb hold the loss, in their recipe."""
        name = self._name.lower()
        if not name.endswith(".glb") or name.endswith(".spz.glb"):
            return encode_files(cloud, self._name)
        manifest = self._asset.manifest
        told = replace(
            self._asset, manifest=replace(manifest, recipe={**manifest.recipe, "loss": dict(loss)})
        )
        data = encode_asset(told, cloud=cloud, layout="compact" if name.endswith(".compact.glb") else "float")
        return {self._name: data}

    def decode(self, files: Mapping[str, bytes]) -> SplatCloud:
        """Return the splats as a reader gets them."""
        with tempfile.TemporaryDirectory() as folder:
            for name, data in files.items():
                (Path(folder) / name).write_bytes(data)
            # A tileset holds no splats itself.
            splats = next((name for name in files if name.endswith(".glb")), self._name)
            return read_splats(Path(folder) / splats)
