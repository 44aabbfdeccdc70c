"""Take away splats that training pictures do not need and that spoil views beside the path.

Three kinds go: *floaters* stand where most of their own light says that pictures look through, *near sky*
does so before the sky, and *unseen* splats add nothing to any training picture. Judged by blending weights:
a view that does not show a splat neither convicts nor saves it. *Needles*, one long axis against two short
ones, are shortened where an end sticks out into free space or where every picture looks along them.

Needles as such are no fault: taking away all of 8 to 1 costs 0.4 dB outdoors and 1.6 dB indoors, off the path
too. They are twigs and edges, and pictures that see them from the side hold them in place.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .cameras import Cameras
from .conventions import F32, rotmats_from_quats
from .errors import InvalidArrayError
from .frames import FrameSequence
from .kernels.binding import ROW_SH, SplatRaster, planar
from .lifting import sky_radius_m
from .spherical_harmonics import SH_C0
from .splats import SplatCloud

Mask = NDArray[np.bool_]

# Depth is compared with the nearest in a window this wide (share of the picture): leaves move by a pixel.
_WINDOW = 0.012
# Sky splats drift while they are fitted; up to half of the way to the shell they are still sky.
_SKY_SHARE = 0.5
# Needles are looked at this many standard deviations from their middle, and shortened to this many times
# their middle axis.
_END, _BLUNT = 1.5, 2.0


@dataclass(frozen=True, slots=True)
class CleanupSettings:
    """What is taken away; lengths in pixels are those of the training pictures."""

    width_px: int = 320  # weights are measured on pictures of at most this width: a quarter of the time
    antialias: bool = True  # as fitted
    through_share: float = 0.7  # of a splat's weight, in views that look through its place
    through_views: int = 2  # fewer views may be wrong about a depth
    clear_share: float = 0.15  # the surface must be farther than the splat by this, and twice its extent
    needle_ratio: float = 5.0  # longest axis to the middle one; flat discs have two long axes
    needle_share: float = 0.02  # standard deviation of a needle, of the picture's width
    end_on_share: float = 0.4  # of that, what the view that sees most of a needle sees
    least_weight_px: float = 0.05  # a splat must add this much of one pixel to some picture

    def __post_init__(self) -> None:
        for name in self.__dataclass_fields__:
            value = getattr(self, name)
            if not (np.isfinite(value) and value >= 0):
                raise InvalidArrayError(name, f"must be a number of at least 0, got {value!r}")
        if self.width_px < 1:
            raise InvalidArrayError("width_px", f"must be positive, got {self.width_px}")


@dataclass(frozen=True, slots=True)
class CleanupReport:
    """How many splats were taken away or shortened, each counted once."""

    splat_count: int  # before
    floater_count: int
    near_sky_count: int
    unseen_count: int
    needle_count: int  # shortened

    @property
    def removed_count(self) -> int:
        """All that were taken away."""
        return self.floater_count + self.near_sky_count + self.unseen_count

    @property
    def sentence(self) -> str:
        """What was done, in words."""
        kinds = (
            (self.floater_count, "floating in free space"),
            (self.near_sky_count, "in front of the sky"),
            (self.unseen_count, "that no picture shows"),
        )
        named = ", ".join(f"{count:,} {what}" for count, what in kinds if count)
        taken = f"took away {self.removed_count:,} of {self.splat_count:,} splats"
        return f"clean-up {taken}{f' ({named})' if named else ''} and shortened {self.needle_count:,} needles"


def clean(
    cloud: SplatCloud, frames: FrameSequence, settings: CleanupSettings | None = None
) -> tuple[SplatCloud, CleanupReport]:
    """Return the cloud without splats that spoil it, in the same order, and what was done.

    Only `frames.train` is looked at. Where frames have no depths, the median depths of the cloud itself stand
    in: they see through faint floaters, not through opaque ones, and know no sky.

    Raises:
        InvalidArrayError: `frames` have no cameras or no training frame, or the cloud is not finite.
        MissingBackendError: The kernels are not compiled and there is no compiler.
    """
    kept, scales, report = judge(cloud, frames, settings)
    return replace(cloud, scales=scales).subset(kept), report


def judge(
    cloud: SplatCloud, frames: FrameSequence, settings: CleanupSettings | None = None
) -> tuple[NDArray[np.int64], F32, CleanupReport]:
    """Return which splats [M] stay, the scales [N, 3] that all should have, and the report; see `clean`."""
    settings = settings or CleanupSettings()
    if frames.cameras is None:
        raise InvalidArrayError("frames", "must have cameras, got none")
    if not frames.train:
        raise InvalidArrayError("frames", "must not all be held out")
    _, middle, longest = np.sort(cloud.scales, axis=1).T
    thin = np.flatnonzero(longest > settings.needle_ratio * middle)
    seen, ends, lengths = _look(cloud, frames, frames.cameras, settings, thin)
    views = min(settings.through_views, len(frames.train))

    unseen = seen.most_px < settings.least_weight_px
    is_through = ~unseen & seen.is_through(settings.through_share, views)
    near_sky = is_through & (seen.before_sky > 0.5 * seen.through)
    sticks_out = np.any([end.is_through(settings.through_share, views) for end in ends], axis=0)
    is_end_on = lengths.from_side < settings.end_on_share * lengths.whole
    is_long = lengths.whole > settings.needle_share * frames.cameras.width
    needles = thin[is_long & (sticks_out | is_end_on) & ~(unseen | is_through)[thin]]

    scales = cloud.scales.copy()
    scales[needles, scales[needles].argmax(axis=1)] = _BLUNT * middle[needles]
    report = CleanupReport(
        splat_count=len(cloud),
        floater_count=int((is_through & ~near_sky).sum()),
        near_sky_count=int(near_sky.sum()),
        unseen_count=int(unseen.sum()),
        needle_count=len(needles),
    )
    return np.flatnonzero(~(unseen | is_through)), scales, report


class _Evidence:
    """What training views say of P places, each weighted by its splat's share in the picture."""

    def __init__(self, count: int) -> None:
        self.most_px, self.inside, self.through, self.before_sky = np.zeros((4, count), np.float32)
        self.views = np.zeros(count, np.int32)  # that look through

    def add(self, index: NDArray, weights: F32, is_through: Mask, is_sky: Mask) -> None:
        """Add what one view shows at the places `index` [M]."""
        self.inside[index] += weights
        self.through[index] += weights * is_through
        self.before_sky[index] += weights * (is_through & is_sky)
        self.views[index] += is_through

    def is_through(self, share: float, views: int) -> Mask:
        """Return which places [P] are looked through in enough views with enough weight."""
        return (self.through > share * self.inside) & (self.views >= views)


class _Lengths:
    """Largest pixels of the long axes of P needles: as any view sees them, and as it would from the side."""

    def __init__(self, count: int) -> None:
        self.from_side, self.whole = np.zeros((2, count), np.float32)


def _look(
    cloud: SplatCloud,
    frames: FrameSequence,
    cameras: Cameras,
    settings: CleanupSettings,
    thin: NDArray[np.int64],
) -> tuple[_Evidence, tuple[_Evidence, _Evidence], _Lengths]:
    """Gather the evidence for all middles, and for both ends and the lengths of the splats `thin`."""
    width = min(cameras.width, settings.width_px)
    small = cameras.resized(width, max(1, round(cameras.height * width / cameras.width)))
    # One pixel of the small picture stands for this many.
    area = cameras.width * cameras.height / (small.width * small.height)
    shell = None if frames.depths is None else _SKY_SHARE * sky_radius_m(frames)
    weigher = _Weigher(cloud, small, settings.antialias)
    rotmats = rotmats_from_quats(cloud.quats).astype(np.float32)
    axes = rotmats[thin, :, cloud.scales[thin].argmax(axis=1)] * cloud.scales[thin].max(axis=1)[:, None]
    middles, ends = _Evidence(len(cloud)), (_Evidence(len(thin)), _Evidence(len(thin)))
    lengths = _Lengths(len(thin))
    for index in frames.train:
        weights, median = weigher.weigh(index, with_median=frames.depths is None)
        weights *= area
        middles.most_px = np.maximum(middles.most_px, weights)
        if frames.depths is not None:
            view = _View(frames.depths[index], cameras.viewmats[index], cameras.Ks[index], shell, settings)
        else:
            view = _View(median, cameras.viewmats[index], small.Ks[index], shell, settings)
        # A splat that a view hardly shows is hidden there: its place says nothing.
        shown = np.flatnonzero(weights >= settings.least_weight_px)
        extents = view.extents(cloud.means[shown], rotmats[shown], cloud.scales[shown])
        inside, is_through, is_sky = view.look(cloud.means[shown], 2 * extents)
        middles.add(shown[inside], weights[shown[inside]], is_through, is_sky)

        needles = np.flatnonzero(weights[thin] >= settings.least_weight_px)
        for end, sign in zip(ends, (_END, -_END), strict=True):
            tips = cloud.means[thin[needles]] + sign * axes[needles]
            inside, is_through, is_sky = view.look(tips, np.zeros(len(tips), np.float32))
            end.add(needles[inside], weights[thin[needles[inside]]], is_through, is_sky)
        across, whole = view.lengths(cloud.means[thin[needles]], axes[needles])
        to_full = cameras.width / view.width
        lengths.from_side[needles] = np.maximum(lengths.from_side[needles], across * to_full)
        lengths.whole[needles] = np.maximum(lengths.whole[needles], whole * to_full)
    return middles, ends, lengths


class _View:
    """One camera and the surface that it sees."""

    def __init__(
        self, surface: F32, viewmat: F32, K: F32, shell: float | None, settings: CleanupSettings
    ) -> None:
        self._turn, self._shift, self._K = viewmat[:3, :3], viewmat[:3, 3], K
        self._clear = 1 + settings.clear_share
        self.width = surface.shape[1]
        size = max(3, round(_WINDOW * self.width) | 1)
        # Nearest around each pixel, and 0 beside one of unknown depth, which nothing is looked through for.
        nearest = ndimage.minimum_filter(surface, size=size, mode="nearest")
        self._is_sky = np.isinf(nearest)
        self._behind = np.where(self._is_sky, np.float32(shell or 0.0), nearest)

    def _ahead(self, points: F32) -> tuple[F32, F32]:
        """Return depths [M] and unit directions [M, 3] in the camera frame."""
        x_cam = points @ self._turn.T + self._shift
        return x_cam[:, 2], x_cam / np.maximum(np.linalg.norm(x_cam, axis=1, keepdims=True), 1e-6)

    def extents(self, means: F32, rotmats: F32, scales: F32) -> F32:
        """Return the standard deviation [M] of splats along the line of sight."""
        _, directions = self._ahead(means)
        return np.linalg.norm(scales * np.einsum("nij,ni->nj", rotmats, directions @ self._turn), axis=1)

    def lengths(self, means: F32, axes: F32) -> tuple[F32, F32]:
        """Return the pixels [M] of axes [M, 3] as seen here, and as they would be from the side."""
        z, directions = self._ahead(means)
        metres = np.linalg.norm(axes, axis=1)
        along = ((axes @ self._turn.T) * directions).sum(axis=1)
        scale = self._K[0, 0] / np.maximum(z, 1e-3)
        return np.sqrt(np.maximum(metres**2 - along**2, 0)) * scale, metres * scale

    def look(self, points: F32, margins: F32) -> tuple[Mask, Mask, Mask]:
        """Return which points [M, 3] are in the picture, and of these which it looks through, and to the sky.

        Args:
            points: World frame.
            margins: [M] metres by which the surface must be farther, beside the share of the settings.
        """
        z, directions = self._ahead(points)
        ratio = directions[:, :2] / np.maximum(directions[:, 2:], 1e-6)
        column = np.floor(ratio[:, 0] * self._K[0, 0] + self._K[0, 2])
        row = np.floor(ratio[:, 1] * self._K[1, 1] + self._K[1, 2])
        height, width = self._behind.shape
        inside = (z > 0) & (row >= 0) & (row < height) & (column >= 0) & (column < width)
        pixels = row[inside].astype(np.int64), column[inside].astype(np.int64)
        is_through = self._behind[pixels] > z[inside] * self._clear + margins[inside]
        return inside, is_through, self._is_sky[pixels]


class _Weigher:
    """Sums each splat's blending weights over the pixels of a view.

    The picture of splats that are all grey depends on each grey linearly, by just that sum.
    """

    def __init__(self, cloud: SplatCloud, cameras: Cameras, antialias: bool) -> None:
        grey = np.zeros((len(cloud), 1, 3), np.float32)
        self._rows = planar(SplatCloud(cloud.means, cloud.quats, cloud.scales, cloud.opacities, grey))
        self._count, self._cameras, self._antialias = len(cloud), cameras, antialias
        self._raster = SplatRaster()
        self._gradients = np.zeros_like(self._rows)
        self._image = np.empty((cameras.height, cameras.width, 3), np.float32)
        self._ones = np.zeros_like(self._image)
        self._ones[..., 0] = 1.0

    def weigh(self, index: int, *, with_median: bool) -> tuple[F32, F32]:
        """Return the weights [N] in pixels, and the median depth [H, W] if it is asked for, else zeros."""
        cameras = self._cameras
        median = np.zeros(self._image.shape[:2], np.float32)
        self._raster.look(
            cameras.viewmats[index],
            cameras.Ks[index],
            cameras.width,
            cameras.height,
            antialias=self._antialias,
        )
        self._raster.forward(self._rows, self._count, self._image, median=median if with_median else None)
        self._gradients[:] = 0
        self._raster.backward(self._rows, self._count, self._ones, self._gradients)
        return self._gradients[ROW_SH, : self._count] / np.float32(SH_C0), median
