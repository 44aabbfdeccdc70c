"""Every thing that stands on the ground outdoors: how it is made, and how much room it takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from numpy.random import Generator

from . import props
from .look import PAINTS, Look
from .mesh import Mesh
from .things import buildings, creatures, stonework, vehicles, yard
from .world import RGB

Make = Callable[[Generator, Look], Mesh]


@dataclass(frozen=True, slots=True)
class Light:
    """What a thing gives off where lamps are lit."""

    height_m: float
    power: RGB  # radiant intensity, as `world.Lamp`
    radius: float = 0.12  # metres
    clear_m: float = 0.4  # metres; its own body casts no shade
    always: bool = False  # by day too


@dataclass(frozen=True, slots=True)
class Thing:
    """A row of the table."""

    make: Make
    radius: float  # metres that its foot takes
    look_m: float = 0.8  # height of what one looks at
    near_m: float = 3.5  # from the middle of the walk
    far_m: float = 11.0
    usual: int = 1  # how many, where none are counted
    light: Light | None = None
    is_scattered: bool = False  # turned any way, not towards the walk
    steepest_deg: float = 10.0
    off_trail_m: float = 0.8


def _plain(make: Callable[[Generator], Mesh]) -> Make:
    return lambda rng, look: make(rng)


def _tent(rng: Generator, look: Look) -> Mesh:
    return props.tent(rng, look.colour(PAINTS["orange"]))


def _boulder(rng: Generator, look: Look) -> Mesh:
    return props.boulder(rng, float(rng.uniform(1.7, 2.5)) * look.size)


_GLOW: RGB = (2.6, 1.5, 0.65)

# In the order in which they are placed.
THINGS: dict[str, Thing] = {
    "well": Thing(_plain(props.well), 1.0, near_m=5, far_m=10),
    "fountain": Thing(stonework.fountain, 2.15, 1.0, 5, 9, off_trail_m=1.0),
    "statue": Thing(stonework.statue, 1.0, 2.4, 5, 10),
    "obelisk": Thing(stonework.obelisk, 1.1, 3.0, 6, 12),
    "kiosk": Thing(buildings.kiosk, 1.6, 1.4, 5, 10),
    "market_stall": Thing(buildings.market_stall, 1.6, 1.3, 4, 11, usual=3),
    "torii": Thing(stonework.torii, 2.2, 2.4, 5, 10),
    "column": Thing(stonework.column, 0.65, 1.6, 4, 12, usual=6, steepest_deg=14),
    "arch": Thing(stonework.standing_arch, 1.8, 1.6, 5, 10),
    "campfire": Thing(
        _plain(props.campfire),
        0.9,
        0.3,
        3.5,
        8,
        light=Light(0.75, (3.4, 1.5, 0.42), 0.2, 0.55, always=True),
        is_scattered=True,
        steepest_deg=8,
        off_trail_m=0.9,
    ),
    "tent": Thing(_tent, 1.7, 0.8, 5, 10, steepest_deg=7, off_trail_m=0.9),
    "boulder": Thing(_boulder, 1.0, 0.8, 4.5, 15, usual=6, is_scattered=True, steepest_deg=24),
    "stone_wall": Thing(stonework.stone_wall, 2.5, 0.5, 4, 12, usual=2, steepest_deg=12),
    "rocket": Thing(vehicles.rocket, 2.2, 4.0, 8, 14),
    "car": Thing(vehicles.car, 2.2, 0.8, 5, 11, off_trail_m=0.5),
    "truck": Thing(vehicles.truck, 2.5, 0.9, 5, 11, off_trail_m=0.5),
    "cart": Thing(vehicles.cart, 1.9, 0.8, 4, 10, off_trail_m=0.6),
    "elephant": Thing(creatures.elephant, 2.4, 1.6, 6, 12),
    "horse": Thing(creatures.horse, 1.2, 1.2, 4, 11, usual=2, is_scattered=True, steepest_deg=14),
    "camel": Thing(creatures.camel, 1.3, 1.4, 4, 11, usual=2, is_scattered=True, steepest_deg=14),
    "cow": Thing(creatures.cow, 1.2, 0.9, 4, 12, usual=4, is_scattered=True, steepest_deg=14),
    "deer": Thing(creatures.deer, 0.8, 1.0, 4, 11, usual=2, is_scattered=True, steepest_deg=16),
    "sheep": Thing(creatures.sheep, 0.7, 0.5, 3.5, 12, usual=7, is_scattered=True, steepest_deg=16),
    "swing": Thing(yard.swing, 1.5, 1.2, 4, 9),
    "slide": Thing(yard.slide, 1.9, 0.9, 4, 10),
    "picnic_table": Thing(yard.picnic_table, 1.1, 0.7, 3, 9),
    "haystack": Thing(yard.haystack, 1.4, 1.0, 4, 12, usual=3, is_scattered=True),
    "hay_bale": Thing(yard.hay_bale, 0.9, 0.6, 4, 13, usual=5, is_scattered=True),
    "firewood": Thing(yard.firewood, 1.2, 0.6, 3, 9),
    "telephone_box": Thing(yard.telephone_box, 0.7, 1.3, 4, 9),
    "neon_sign": Thing(yard.neon_sign, 1.1, 2.4, 4, 10, light=Light(2.5, (2.2, 0.5, 0.9), 0.3, 1.2)),
    "bench": Thing(_plain(props.bench), 0.8, near_m=3, far_m=8),
    "signpost": Thing(_plain(props.signpost), 0.3, near_m=3, far_m=8),
    "log": Thing(_plain(props.log), 1.2, near_m=4, far_m=12),
    "stump": Thing(_plain(props.stump), 0.4, near_m=3.5, far_m=14, usual=3),
    "street_lamp": Thing(
        yard.street_lamp,
        0.25,
        2.6,
        3,
        13,
        usual=4,
        light=Light(3.3, (10.0, 6.6, 3.2), 0.16, 0.5),
        off_trail_m=0.5,
    ),
    "lantern": Thing(
        _plain(props.lantern), 0.2, 2.0, 2, 10, usual=3, light=Light(2.25, _GLOW), off_trail_m=0.5
    ),
    "stone_lantern": Thing(
        stonework.stone_lantern,
        0.45,
        0.8,
        2.5,
        9,
        usual=3,
        light=Light(1.05, (1.3, 0.75, 0.33), 0.1, 0.4),
        off_trail_m=0.5,
    ),
    "bicycle": Thing(vehicles.bicycle, 0.75, 0.6, 3, 8),
    "sledge": Thing(vehicles.sledge, 0.95, 0.3, 3, 8),
    "wheelbarrow": Thing(vehicles.wheelbarrow, 0.9, 0.5, 3, 8),
    "scarecrow": Thing(creatures.scarecrow, 0.6, 1.3, 4, 9, steepest_deg=16),
    "snowman": Thing(creatures.snowman, 0.6, 1.0, 3, 8),
    "robot": Thing(creatures.robot, 0.5, 1.1, 3, 8),
    "dog": Thing(creatures.dog, 0.5, 0.4, 2.5, 7),
    "cat": Thing(creatures.cat, 0.3, 0.3, 2, 5),
    "tractor": Thing(vehicles.tractor, 1.9, 1.0, 5, 11, off_trail_m=0.5),
    "trough": Thing(yard.trough, 1.0, 0.5, 3, 9),
    "tombstone": Thing(stonework.tombstone, 0.55, 0.6, 3, 11, usual=20, steepest_deg=16),
    "sandcastle": Thing(yard.sandcastle, 0.8, 0.4, 2.5, 7),
    "bucket": Thing(yard.bucket, 0.25, 0.3, 2, 7, usual=2),
    "beehive": Thing(yard.beehive, 0.45, 0.8, 3, 9, usual=4),
    "mailbox": Thing(yard.mailbox, 0.35, 1.1, 2.5, 7),
    "parasol": Thing(yard.parasol, 0.6, 1.9, 3, 10, usual=3),
    "garden_chair": Thing(yard.garden_chair, 0.4, 0.5, 2.5, 8, usual=3),
    "barrel": Thing(yard.barrel, 0.42, 0.5, 2.5, 9, usual=4, is_scattered=True),
    "crate": Thing(yard.crate, 0.6, 0.5, 2.5, 9, usual=4),
    "flower_pot": Thing(yard.flower_pot, 0.4, 0.6, 2.5, 9, usual=4, is_scattered=True),
    "pumpkin": Thing(yard.pumpkin, 0.42, 0.3, 2.5, 11, usual=26, is_scattered=True, steepest_deg=18),
}
