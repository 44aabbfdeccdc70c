"""What stands on each site: its mesh, and which of its parts people cannot walk through."""

from __future__ import annotations

from collections.abc import Callable

from numpy.random import Generator

from .look import Look
from .mesh import Mesh
from .sites import Site
from .things import buildings, crossings, halls, stonework, towers

Make = Callable[[Generator, Look], Mesh]

_MAKERS: dict[str, Make] = {
    "tower": towers.tower,
    "lighthouse": towers.lighthouse,
    "windmill": towers.windmill,
    "castle": towers.castle,
    "church": towers.church,
    "pagoda": towers.pagoda,
    "pyramid": towers.pyramid,
    "ruin": stonework.ruin,
    "greenhouse": buildings.greenhouse,
    "barn": halls.barn,
    "pavilion": halls.pavilion,
    "cliff": crossings.cliff,
    "waterfall": crossings.waterfall,
}
# Of what one walks into: the solid parts (x, z, half along x, half along z) in the site's own frame, metres.
WALK_IN: dict[str, halls.Blocks] = {
    "ruin": stonework.RUIN_BLOCKS,
    "barn": halls.BARN_BLOCKS,
    "pavilion": tuple((x, z, 0.12, 0.12) for x, z in halls.PAVILION_POSTS),
}


def building(site: Site, look: Look, rng: Generator, is_in_street: bool) -> Mesh:
    """Return what stands on a site, in its own frame: the foot at y = 0, the front towards +Z."""
    if site.kind == "house":
        storeys = 2 if is_in_street and rng.random() < 0.7 else 1
        return buildings.house(rng, look, site.half_width, site.half_depth, storeys)
    if site.kind == "shop":
        return buildings.shop(rng, look, site.half_width, site.half_depth)
    if site.kind == "building":
        return buildings.city_block(rng, look, site.half_width, site.half_depth, int(rng.integers(4, 6)))
    return _MAKERS[site.kind](rng, look)
