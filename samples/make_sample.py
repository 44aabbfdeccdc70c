"""Make the sample scene that `immersive serve --sample` shows: `make sample`."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from immersive.brief_file import read_brief
from immersive.catalog import Catalog
from immersive.pipeline import create_scene
from immersive.progress import Terminal
from immersive.request import CreateRequest

FOLDER = Path(__file__).resolve().parent
# 3 MB is the most that a checkout should carry: 110,000 splats with all their levels and the collider.
SPLATS = 110_000
BUDGET_S = 100.0


def main(brief_path: Path) -> None:
    """Create the scene in a data folder of its own, then keep its pack."""
    found = read_brief(brief_path)
    request = CreateRequest(
        prompt=found.brief.prompt,
        seed=found.brief.seed,
        title=found.title,
        splats=SPLATS,
        budget_s=BUDGET_S,
    )
    with tempfile.TemporaryDirectory() as home, Terminal() as bars:
        scene = create_scene(request, home=Path(home), reporter=bars)
        catalog = Catalog(Path(home))
        shutil.rmtree(FOLDER / "scene", ignore_errors=True)
        shutil.copytree(catalog.pack_folder(scene.record), FOLDER / "scene")
        catalog.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER / "briefs" / "cabin_by_the_lake.toml")
