"""What a browser loads before the page can be used, and before its first picture."""

from __future__ import annotations

import json
import subprocess

import pytest

from tests.conftest import ROOT


@pytest.mark.browser
def test_the_built_page_is_within_its_weight() -> None:
    done = subprocess.run(
        ["node", "viewer/scripts/weight.mjs", "--json"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    weight = json.loads(done.stdout)
    parts = {name.split("/")[-1].split("-")[0] for name in weight["firstPicture"]["files"]}
    assert parts == {"index.html", "icon", "index", "visit", "worker", "spark"}
    # Everything that is built is counted, but for what only some visitors load.
    built = {path.name.split("-")[0] for path in (ROOT / "streaming" / "_viewer" / "assets").iterdir()}
    assert built - parts <= {"de", "headUp", "sideBySide"}
