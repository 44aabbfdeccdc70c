"""What devices draw and load: the one table. `codegen` writes the page's profiles from it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

_FEW_PIXELS = math.sqrt(5)  # as Spark advises for VR: less of each Gaussian's rim
_MOST = math.sqrt(8)
# exp(-9/2) = 0.011 of a splat's opacity is left at the rim, below what 8 bits show for most.
_WHOLE = 3.0


@dataclass(frozen=True, slots=True)
class Device:
    """What a kind of device is asked to draw."""

    name: str  # in the page
    max_splats: int  # held at once; peers plan 250-500 k on a Quest 3, 1 M on phones, 2.5 M on desktops
    max_sh_degree: int
    max_file_bytes: int  # of an exported file
    max_pixel_ratio: float  # device pixels per CSS pixel, at most
    least_pixel_ratio: float  # while moving, pixels may be given up down to this ratio to stay fluent
    # Sort by distance, not depth, on a screen too. Less like the fit (34 against 48 dB), but Spark leaves
    # what lies far behind out of a depth order, and a slow renderer shows the gap while one turns.
    sorts_by_distance: bool
    max_std_dev: float  # where a splat is cut off, in standard deviations; flat pictures
    max_std_dev_xr: float


# A file is downloaded whole: 8 to 20 s at 10 Mbit/s, 25 bytes a splat.
HEADSET = Device("headset", 350_000, 0, 10_000_000, 1, 0.5, True, _FEW_PIXELS, _FEW_PIXELS)
PHONE = Device("phone", 600_000, 0, 15_000_000, 1.5, 0.6, False, _MOST, _FEW_PIXELS)
# 30 000 splats cost 115, 270 and 670 ms of CPU at 320x240, 640x480 and 1280x720: mostly pixels, so give
# those up.
SOFTWARE = Device("software", 80_000, 0, 3_000_000, 1, 0.35, True, _FEW_PIXELS, _FEW_PIXELS)
DESKTOP = Device("desktop", 2_000_000, 3, 100_000_000, 2, 0.5, False, _WHOLE, _FEW_PIXELS)
# Display-only and head-up ones: 50 degrees of additive picture, 30 to 100 k splats, a phone's radio.
GLASSES = Device("glasses", 60_000, 0, 1_500_000, 1, 0.5, True, _FEW_PIXELS, _FEW_PIXELS)

# What the page tells apart. Glasses show themselves to no browser today; files are made for them.
PAGE_DEVICES = (HEADSET, PHONE, SOFTWARE, DESKTOP)

# What files are made for, as the command line calls it.
FILE_DEVICES: Mapping[str, Device] = MappingProxyType(
    {"quest3": HEADSET, "phone": PHONE, "glasses": GLASSES, "desktop": DESKTOP, "software": SOFTWARE}
)
