"""The page for everybody: axe-core over all its states, by keyboard alone, without motion, in German."""

from __future__ import annotations

import json
import math
import subprocess
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from immersive.catalog import Catalog
from immersive.growing import Growing
from immersive.licensing import with_terms
from immersive.preflight import find_chromium
from immersive.serve_command import sample_folder
from immersive.server.run import start_in_thread
from immersive.share import Links
from streaming.asset import SplatAsset
from streaming.pack import read_asset
from tests.conftest import ROOT

pytestmark = pytest.mark.browser

STATES = {
    "curtain", "scene", "info", "help", "edit", "report", "phone", "people", "password", "password-wrong",
    "code", "failure", "failure-retry", "growing", "head-up", "head-up-menu", "head-up-help",
    "german", "german-info", "poor", "terms",
}  # fmt: skip


LICENCE = "CC BY 4.0 (https://creativecommons.org/licenses/by/4.0/)"
CREDIT = "Ada & Grace <ada@example.com>"


def _poor_with_terms(asset: SplatAsset) -> SplatAsset:
    assert asset.manifest.quality is not None
    asset = with_terms(asset, licence=LICENCE, credit=CREDIT)
    quality = replace(asset.manifest.quality, verdict="poor")
    return replace(asset, manifest=replace(asset.manifest, quality=quality))


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """One long visit; the tests below read what it found."""
    assert find_chromium() is not None, "browser tests need Chromium: apt-get install chromium"
    axe = ROOT / "viewer" / "conformance" / "node_modules" / "axe-core"
    assert axe.is_dir(), "axe-core is missing: npm ci --prefix viewer/conformance"
    folder = tmp_path_factory.mktemp("access")
    catalog = Catalog(folder / "home")
    record = catalog.publish(read_asset(sample_folder()))
    poor = catalog.publish(_poor_with_terms(read_asset(sample_folder())))
    growing = Growing.begin(catalog, recipe_digest="r", title="A room", prompt="a room")
    growing.tell("Rendering frames", 0.4, 75.0)
    ramp = np.linspace(0, 255, 3 * 5 * 24 * 36).reshape(3, 24, 36, 5)[..., :3]
    growing.show_frames(ramp.astype(np.uint8))
    links = Links(catalog)
    revoked = links.create(record.id)
    links.revoke(revoked.id)
    made = {
        "edit": links.create(record.id, scope="edit"),
        "password": links.create(record.id, password="höhle 7"),
        "growing": links.create(growing.scene_id),
        "revoked": revoked,
        "poor": links.create(poor.id),
    }
    with start_in_thread(folder / "home") as info:
        addresses = {name: info.link(link.path) for name, link in made.items()}
        (folder / "links.json").write_text(json.dumps(addresses), "utf-8")
        done = subprocess.run(
            ["node", "viewer/scripts/access.mjs", str(folder / "links.json"), str(folder / "seen.json"),
             str(folder)],
            cwd=ROOT, capture_output=True, text=True, check=False, timeout=600,
        )  # fmt: skip
    catalog.close()
    assert done.returncode == 0, done.stderr
    return json.loads((folder / "seen.json").read_text("utf-8"))


def test_axe_finds_nothing_in_any_state_of_the_page(seen: dict[str, Any]) -> None:
    assert seen["complaints"] == []
    assert set(seen["axe"]) == STATES
    for name, found in seen["axe"].items():
        assert found["violations"] == [], name
        assert found["rules"] >= 15, f"{name}: axe must have had something to look at"


def test_on_a_small_phone_no_button_lies_on_another_or_on_the_title(seen: dict[str, Any]) -> None:
    assert seen["crowded"] == {"390": [], "320": []}


def test_tab_reaches_everything_and_shows_where_it_is(seen: dict[str, Any]) -> None:
    tabs = seen["keyboard"]["tabs"]
    assert tabs["stops"][0] == "scene"
    assert {"Copy link", "Edit this scene", "About this scene", "Controls", "Back to the start"} <= set(
        tabs["stops"]
    )
    assert tabs["unseen"] == []
    # ... and no frame lies around the scene for whoever has a mouse.
    assert seen["keyboard"]["outlines"] == ["solid", "none"]


@pytest.mark.parametrize(
    ("name", "title"), [("info", "About this scene"), ("help", "Controls"), ("edit", "Edit this scene")]
)
def test_a_panel_takes_the_focus_and_gives_it_back_at_escape(
    seen: dict[str, Any], name: str, title: str
) -> None:
    assert seen["keyboard"][name] == {"open": [title], "isInside": True, "left": [], "focused": title}


def test_a_report_is_reached_from_the_scene_s_panel_and_left_to_where_that_was(seen: dict[str, Any]) -> None:
    assert seen["keyboard"]["report"] == {
        "open": ["Report this place"],
        "focused": "About this scene",
    }


def test_letters_open_panels_walk_and_go_back_to_the_start(seen: dict[str, Any]) -> None:
    keyboard = seen["keyboard"]
    assert keyboard["byShortcut"] == ["Controls", "About this scene"]
    assert keyboard["afterShortcuts"] == "scene"
    assert math.dist(keyboard["began"], keyboard["walked"]) > 0.5
    assert keyboard["said"] == "Back at the start"


def test_nothing_behind_a_failure_can_be_reached(seen: dict[str, Any]) -> None:
    assert seen["keyboard"]["afterFailure"]["stops"] == []
    assert set(seen["keyboard"]["afterPassing"]["stops"]) <= {"Try again"}


def test_nothing_moves_by_itself_for_whoever_asked_for_that(seen: dict[str, Any]) -> None:
    usual, reduced = seen["motion"]["asUsual"], seen["motion"]["reduced"]
    assert usual["curtain"] > 0 and usual["frames"] > 1 and usual["fade"] == "0.7s"
    assert reduced == {"curtain": 0, "frames": 1, "fade": "0s"}


def test_a_german_browser_is_spoken_to_in_german_until_its_owner_chooses(seen: dict[str, Any]) -> None:
    language = seen["language"]
    assert language["first"] == ["de", "Bedienung"]
    manifest = read_asset(sample_folder()).manifest
    assert f"{manifest.splat_count:,}".replace(",", ".") in language["facts"]
    assert language["switched"] == ["en", "Controls"]
    assert language["remembered"] == "This link was withdrawn"
    assert language["asked"] == "Dieser Link wurde zurückgezogen"


def test_terms_label_verdict_and_that_nothing_is_signed_are_on_the_page(seen: dict[str, Any]) -> None:
    assert seen["chips"] == ["KI-erzeugt", "Schwaches Bild"]
    terms = seen["terms"]
    assert (terms["label"], terms["verdict"]) == ("KI-erzeugt", "Schwach")
    assert LICENCE in terms["facts"] and CREDIT in terms["facts"]
    assert terms["link"] == "https://creativecommons.org/licenses/by/4.0/"
    assert terms["signature"].startswith("Nicht signiert")
