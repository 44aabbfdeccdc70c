"""Render one picture of every sample brief into one labelled sheet: `python samples/make_contact_sheet.py`.

The picture is the one of the walk that shows most of what the prompt names.
"""

from __future__ import annotations

import argparse
import io
import unicodedata
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from immersive.brief import SceneBrief
from immersive.brief_file import read_brief
from immersive.generation.coverage import Coverage, coverage_of
from immersive.generation.procedural.generator import build_world
from immersive.generation.procedural.rays import ray_scene
from immersive.generation.procedural.render import render
from immersive.generation.trajectory import plan_path
from reconstruction.errors import ImmersiveError

FOLDER = Path(__file__).resolve().parent
_SIZE = (384, 216)
_COLUMNS = 5
_CAPTION_PX, _MARGIN_PX, _FONT_PX = 46, 8, 13
_WELL_SHOWN = 0.03  # of a picture; more of one thing is not better
_MOST_BYTES = 1_500_000
_PAPER, _INK, _FAINT = (250, 249, 246), (24, 24, 24), (120, 40, 40)


def main(names: list[str], out: Path) -> None:
    """Render the named briefs, or all of them, and write the sheet."""
    paths = sorted((FOLDER / "briefs").glob("*.toml"))
    if names:
        paths = [FOLDER / "briefs" / f"{name}.toml" for name in names]
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        tiles = list(pool.map(tile, paths))
    out.write_bytes(_jpeg(_sheet(tiles)))


def tile(path: Path) -> Image.Image:
    """Return the picture of one brief above its prompt, or what the generator says instead."""
    brief = read_brief(path).brief
    whole = Image.new("RGB", (_SIZE[0], _SIZE[1] + _CAPTION_PX), _PAPER)
    pen, font = ImageDraw.Draw(whole), ImageFont.load_default(_FONT_PX)
    try:
        world = build_world(brief)
        scene = ray_scene(world.mesh)
        views = plan_path(world, brief, *_SIZE, brief.seed, scene=scene).cameras
        best = views.subset([_best(coverage_of(world, scene, views), brief)])
        images, _ = render(world, best, lambda share: None, scene=scene)
        whole.paste(Image.fromarray(np.asarray(images[0])), (0, 0))
    except ImmersiveError as error:
        pen.multiline_text((10, 10), _folded(str(error), font, _SIZE[0] - 20, 6), _FAINT, font)
    pen.multiline_text((2, _SIZE[1] + 4), _folded(brief.prompt, font, _SIZE[0] - 4, 2), _INK, font)
    return whole


def _best(coverage: Coverage, brief: SceneBrief) -> int:
    """Return the view that shows most kinds that were named, each well enough; the first of the best."""
    named = [element.kind for element in brief.elements if element.count != 0]
    shown = [np.minimum(coverage.share_of(kind) / _WELL_SHOWN, 1.0) for kind in named]
    return int(np.sum(shown, axis=0).argmax()) if shown else 0


def _folded(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int, most: int) -> str:
    """Return `text` in at most `most` lines of `width` pixels, an ellipsis where it ends early."""
    # The font that comes with Pillow has no accents.
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    lines = [""]
    for word in plain.split():
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    if len(lines) > most:
        lines = [*lines[: most - 1], f"{lines[most - 1]} ..."]
    return "\n".join(lines)


def _sheet(tiles: list[Image.Image]) -> Image.Image:
    columns = min(_COLUMNS, len(tiles))
    rows = -(-len(tiles) // columns)
    width, height = tiles[0].size
    step_x, step_y = width + _MARGIN_PX, height + _MARGIN_PX
    sheet = Image.new("RGB", (columns * step_x + _MARGIN_PX, rows * step_y + _MARGIN_PX), _PAPER)
    for index, picture in enumerate(tiles):
        row, column = divmod(index, columns)
        sheet.paste(picture, (_MARGIN_PX + column * step_x, _MARGIN_PX + row * step_y))
    return sheet


def _jpeg(sheet: Image.Image) -> bytes:
    """Return the sheet as JPEG, as good as the largest size that a checkout should carry allows."""
    for quality in range(92, 30, -6):
        data = io.BytesIO()
        sheet.save(data, "JPEG", quality=quality, optimize=True, progressive=True)
        if data.tell() <= _MOST_BYTES:
            break
    return data.getvalue()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="briefs without .toml; all of them if there are none")
    parser.add_argument("--out", type=Path, default=FOLDER / "prompts.jpg")
    given = parser.parse_args()
    main(given.names, given.out)
