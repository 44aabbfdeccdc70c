"""The command line as a user or a program meets it: real processes, real files."""

from __future__ import annotations

import json
import socket
import sqlite3
from pathlib import Path

import pytest

from immersive.fitting_plan import plan_for
from immersive.request import CreateRequest, budget_from, seconds_from
from reconstruction.errors import InvalidInputError
from tests.conftest import SmallScene, run_cli

CONTRACT = {
    "id", "link", "title", "splat_count", "byte_length", "cpu_seconds", "wall_seconds", "peak_memory_bytes",
    "stages", "quality", "walkability", "brief",
}  # fmt: skip
QUALITY = {"psnr_db", "ssim", "held_out_frames", "verdict", "reasons"}
WALKABILITY = {"reachable_m2", "fall_count", "stuck_share", "open_ray_share", "verdict", "reasons"}


def test_create_prints_the_promised_object_and_nothing_else(small_scene: SmallScene) -> None:
    report = small_scene.report

    assert set(report) == CONTRACT
    assert set(report["quality"]) >= QUALITY and set(report["walkability"]) >= WALKABILITY
    assert set(report["brief"]) == {"understood", "guessed", "left_out"}
    assert [stage["name"] for stage in report["stages"]] == [
        "understand", "frames", "fit", "quality", "walk", "sound", "pack", "publish",
    ]  # fmt: skip
    assert sum(stage["cpu_seconds"] for stage in report["stages"]) <= report["cpu_seconds"] + 0.1
    assert report["title"] == "Painted room"


def test_the_painted_room_is_good_and_walkable(small_scene: SmallScene) -> None:
    quality, walk = small_scene.report["quality"], small_scene.report["walkability"]

    assert quality["held_out_frames"] == 4 and quality["psnr_db"] > 27
    assert walk["reachable_m2"] >= 8 and walk["fall_count"] == 0
    assert 1_000 < small_scene.report["splat_count"] <= 12_600


def test_an_equal_request_finds_its_scene_and_costs_no_stage(small_scene: SmallScene) -> None:
    options = ("--budget", "10s", "--splats", "12000", "--json")
    done = run_cli("create", "--images", str(small_scene.folder), *options, home=small_scene.home)

    again = json.loads(done.stdout)

    assert again["id"] == small_scene.report["id"]
    assert [stage["name"] for stage in again["stages"]] == ["understand"]
    assert again["link"] != small_scene.report["link"]  # the old secret cannot be told again


def test_a_deleted_scene_is_made_again_from_kept_stages(small_scene: SmallScene, tmp_path: Path) -> None:
    import shutil

    home = tmp_path / "home"
    shutil.copytree(small_scene.home / "stages", home / "stages")
    options = ("--budget", "10s", "--splats", "12000", "--json")

    done = run_cli("create", "--images", str(small_scene.folder), *options, home=home)

    stages = {stage["name"]: stage["cpu_seconds"] for stage in json.loads(done.stdout)["stages"]}
    assert stages["fit"] < 1 and stages["walk"] < 1  # loaded; fitting alone takes 10


def test_scenes_are_listed_renamed_exported_shared_and_deleted(
    small_scene: SmallScene, tmp_path: Path
) -> None:
    import shutil

    home = tmp_path / "home"
    shutil.copytree(small_scene.home, home)
    scene = small_scene.report["id"]

    packs = len(list(home.rglob("pack.bin")))
    renamed = run_cli("rename", scene[:5], "Blue hall", home=home)
    listed = json.loads(run_cli("list", "--json", home=home).stdout)
    shared = json.loads(run_cli("share", scene, "--expires", "7d", "--json", home=home).stdout)
    exported = [
        run_cli("export", scene, "--to", str(tmp_path / f"a{end}"), home=home)
        for end in (".glb", ".spz", ".ply", ".sog", ".compact.glb")
    ]
    inspected = run_cli("inspect", str(tmp_path / "a.glb"), "--json", home=home)
    revoked = run_cli("revoke", shared["link"], home=home)
    deleted = run_cli("delete", scene, "--yes", home=home)

    assert [entry["title"] for entry in listed] == ["Blue hall"]
    assert shared["expires_at"] - shared["created_at"] == 7 * 86_400
    assert all(done.returncode == 0 for done in (renamed, *exported, inspected, revoked, deleted))
    found = json.loads(inspected.stdout)
    assert found["splat_count"] == small_scene.report["splat_count"] and found["has_collider"]
    assert json.loads(run_cli("list", "--json", home=home).stdout) == []
    assert packs == 1 and not list(home.rglob("pack.bin"))


@pytest.mark.parametrize(
    ("arguments", "status", "code", "words"),
    [
        (("create", ""), 1, "invalid_input", "prompt"),
        (("create", " \t "), 1, "invalid_input", "prompt"),
        (("create", "a lake " * 2_000), 1, "invalid_input", "characters"),
        (("create",), 1, "invalid_input", "one source"),
        (("create", "a lake", "--video", "x.mp4"), 1, "invalid_input", "one source"),
        (("create", "--video", "no-such.mp4"), 1, "invalid_input", "not found"),
        (("create", "a lake", "--quality", "superb"), 1, "invalid_input", "draft"),
        (("create", "a lake", "--seed", "-1"), 1, "invalid_input", "seed"),
        (
            ("create", "a lake", "--budget", "soon"),
            1,
            "invalid_input",
            "30s or 10m, or a quality such as 28dB",
        ),
        (("create", "a lake", "--budget", "5dB"), 1, "invalid_input", "from 10 to 60 dB"),
        (("create", "a lake", "--out", "scene.docx"), 1, "invalid_input", ".glb"),
        (("create", "--brief", "no-such.toml"), 1, "invalid_input", "no-such.toml"),
        (("create", "a lake", "--brief", "samples/briefs/desert_morning.toml"), 1, "invalid_input", "brief"),
        (("create", "a lake", "--bogus"), 2, "usage", "--bogus"),
        (("nonsense",), 2, "usage", "nonsense"),
        (("import", "no-such.ply"), 1, "invalid_input", "no-such.ply"),
        (("share", "ffff"), 1, "scene_unknown", "ffff"),
        (("inspect", "no-such.glb"), 1, "invalid_input", "no-such.glb"),
    ],
)
def test_bad_input_gets_one_line_with_a_hint_and_writes_nothing(
    arguments: tuple[str, ...], status: int, code: str, words: str, tmp_path: Path
) -> None:
    done = run_cli(*arguments, "--json", home=tmp_path / "home")

    problem = json.loads(done.stdout)["error"]
    assert done.returncode == status
    assert problem["code"] == code and words in problem["message"] and "\n" not in problem["message"]
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "home" / "stages").exists() and not list(tmp_path.rglob("manifest.json"))


def test_a_nul_in_the_prompt_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    # No shell can pass one, but programs call main() with their own strings.
    from immersive.cli import main

    monkeypatch.setenv("IMMERSIVE_HOME", str(tmp_path))

    assert main(["create", "a lake\x00", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "invalid_input"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("empty.mp4", b""),
        ("text.mp4", b"this is no video\n" * 50),
        ("half.mp4", b"\x00\x00\x00\x18ftypmp42" + b"\x00" * 300),
    ],
)
def test_a_broken_clip_is_refused_in_words(name: str, content: bytes, tmp_path: Path) -> None:
    clip = tmp_path / name
    clip.write_bytes(content)

    done = run_cli("create", "--video", str(clip), home=tmp_path / "home")

    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert name in done.stderr.split("immersive: ")[1].splitlines()[0]
    assert done.stdout == ""


def test_a_folder_of_text_files_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").write_text("hello")

    done = run_cli("create", "--images", str(tmp_path / "notes"), home=tmp_path / "home")

    assert done.returncode == 1 and "immersive: " in done.stderr and "Traceback" not in done.stderr


def test_a_taken_port_is_told_before_any_work(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])

        done = run_cli("create", "a lake", "--serve", "--port", port, "--json", home=tmp_path / "home")

    assert done.returncode == 1
    assert f"port {port} is taken" in json.loads(done.stdout)["error"]["message"]
    assert not (tmp_path / "home" / "stages").exists()


def test_a_full_disk_stops_the_work_in_words_and_keeps_nothing_half(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    import errno

    import numpy as np

    from immersive.cli import main
    from tests.posed_room import write_posed_room

    folder = write_posed_room(tmp_path / "room")
    monkeypatch.setenv("IMMERSIVE_HOME", str(tmp_path / "home"))

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(np, "save", full)

    assert main(["create", "--images", str(folder), "--json"]) == 1
    problem = json.loads(capsys.readouterr().out)["error"]
    assert problem["code"] == "disk_full" and "IMMERSIVE_HOME" in problem["hint"]
    assert list((tmp_path / "home" / "stages").iterdir()) == []
    with sqlite3.connect(tmp_path / "home" / "catalog.sqlite") as catalog:
        assert catalog.execute("SELECT count(*) FROM scene").fetchone() == (0,)
    catalog.close()


def test_a_budget_is_time_or_quality():
    assert [budget_from(text) for text in ("30s", "10m", "28dB", "26.5 db")] == [
        (30, None),
        (600, None),
        (None, 28.0),
        (None, 26.5),
    ]
    plan = plan_for(CreateRequest(prompt="a lake", enough_db=28.0))
    assert plan.fit.enough_db == 28 and plan.fit.budget_cpu_s == 110


def test_spans_are_read_and_nonsense_is_refused() -> None:
    assert [seconds_from("expires", text) for text in ("90s", "30m", "12h", "7d", "2w")] == [
        90, 1_800, 43_200, 604_800, 1_209_600,
    ]  # fmt: skip
    for text in ("", "7", "d", "0d", "-3d", "1.5h", "7 d"):
        with pytest.raises(InvalidInputError, match="span"):
            seconds_from("expires", text)
