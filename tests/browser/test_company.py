"""Two pages in one link, in a real Chromium: one visitor sees the other, where they are, until they leave."""

from __future__ import annotations

import base64
import io
import json
import subprocess
from typing import Any

import numpy as np
import pytest
from PIL import Image

from immersive.catalog import Catalog
from immersive.preflight import find_chromium
from immersive.serve_command import sample_folder
from immersive.server.run import start_in_thread
from immersive.share import Links
from streaming.pack import read_asset
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    assert find_chromium() is not None, "browser tests need Chromium: apt-get install chromium"
    folder = tmp_path_factory.mktemp("company")
    catalog = Catalog(folder / "home")
    link = Links(catalog).create(catalog.publish(read_asset(sample_folder())).id)
    catalog.close()
    with start_in_thread(folder / "home") as info:
        done = subprocess.run(
            ["node", "viewer/scripts/company.mjs", info.link(link.path), folder / "report.json", folder],
            cwd=ROOT, capture_output=True, text=True, check=False, timeout=600,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads((folder / "report.json").read_text("utf-8"))  # type: ignore[no-any-return]


def picture(data_url: str) -> np.ndarray:
    png = base64.b64decode(data_url.partition(",")[2])
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"), np.float32) / 255


@pytest.mark.browser
def test_a_visitor_is_seen_where_they_stand(company: dict[str, Any]) -> None:
    assert company["alone"] == {"others": [], "isOffered": False}
    for seen in company["seen"]:
        assert seen["name"].startswith("Guest ")
        np.testing.assert_allclose(seen["position"], seen["eye"], atol=0.02)
    two, one = (np.array(seen["eye"]) for seen in company["seen"])
    assert 0.3 < np.linalg.norm(two - one) < 0.7  # half a metre nearer
    assert company["complaints"] == []


@pytest.mark.browser
def test_what_one_says_the_other_reads(company: dict[str, Any]) -> None:
    assert company["said"] == f"{company['seen'][0]['name']}: What a view from up here, over the whole lake!"
    together, saying = (picture(company[f"picture{name}"]) for name in ("Together", "Saying"))
    rows = np.flatnonzero((np.abs(saying - together).max(axis=2) > 0.1).sum(axis=1) > 20)
    assert rows.size > 10 and rows.max() < saying.shape[0] / 2  # a plate over the head


@pytest.mark.browser
def test_a_figure_stands_in_the_middle_of_the_picture_and_can_be_hidden(company: dict[str, Any]) -> None:
    alone, together, hidden, after = (
        picture(company[f"picture{name}"]) for name in ("Alone", "Together", "Hidden", "After")
    )

    changed = np.abs(together - alone).max(axis=2) > 0.1
    columns = np.flatnonzero(changed.any(axis=0))
    width = alone.shape[1]
    # A head and shoulders at 1.5 m, straight ahead: a narrow figure, from the horizon downward.
    assert changed.mean() > 0.01
    assert abs(np.mean(columns) - width / 2) < width / 10 and np.ptp(columns) < width / 2
    assert np.abs(hidden - alone).max(axis=2).mean() < 0.01
    assert np.abs(after - alone).max(axis=2).mean() < 0.01
    assert company["after"] == {"others": [], "isOffered": False}
