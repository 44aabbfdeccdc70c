"""share, links and publish on the command line."""

from __future__ import annotations

import json
import time
from pathlib import Path

import httpx
import pytest

from immersive.catalog import Catalog, SceneRecord
from immersive.cli import main
from immersive.errors import LinkPasswordError
from immersive.link_audit import Visitor
from immersive.share import Links
from tests.immersive.served_site import Site
from tests.streaming.opaque_asset import opaque_asset


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SceneRecord:
    monkeypatch.setenv("IMMERSIVE_HOME", str(tmp_path))
    catalog = Catalog(tmp_path)
    record = catalog.publish(opaque_asset())
    catalog.close()
    return record


def run(*arguments: str) -> int:
    return main(list(arguments))


def test_share_makes_the_link_that_was_asked_for(
    scene: SceneRecord, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import io

    monkeypatch.setattr("sys.stdin", io.StringIO("open sesame\nmore\n"))
    options = ["--scope", "edit", "--max-opens", "3", "--expires", "2h", "--password", "-"]
    origins = ["--embed-origin", "https://a.example", "--embed-origin", "https://b.example:8443"]
    assert run("share", scene.id[:5], *options, *origins, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["scope"], told["visibility"], told["max_opens"]) == ("edit", "private", 3)
    assert told["embed_origins"] == ["https://a.example", "https://b.example:8443"]
    assert abs(told["expires_at"] - time.time() - 7200) < 60
    links = Links(Catalog(tmp_path))
    link_id, secret = told["link"].split("/v/")[1].split("#")
    with pytest.raises(LinkPasswordError):
        links.open(link_id, secret)
    links.open(link_id, secret, password="open sesame", visitor=Visitor("192.0.2.1", "curl/8"))

    assert run("links", scene.id, "--json") == 0
    (listed,) = json.loads(capsys.readouterr().out)
    assert listed["open_count"] == 1
    assert [row["result"] for row in listed["opens"]] == ["opened", "wrong_password"]
    assert run("links", scene.id) == 0
    shown = capsys.readouterr().out
    assert "1 of 3" in shown and "password" in shown and "program" in shown
    assert secret not in shown


def test_public_links_have_no_secret_and_frames_are_told_for_named_origins(
    scene: SceneRecord, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("share", scene.id, "--public", "--embed-origin", "https://a.example") == 0
    told = capsys.readouterr()
    assert "#" not in told.out and "/v/" in told.out
    assert "xr-spatial-tracking" in told.err


@pytest.mark.parametrize(
    "options",
    [
        ["--public", "--unlisted"],
        ["--public", "--scope", "edit"],
        ["--scope", "own"],
        ["--max-opens", "0"],
        ["--embed-origin", "a.example"],
        ["--password", "x"],
    ],
)
def test_a_link_that_cannot_be_is_refused_in_one_sentence(
    scene: SceneRecord, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("share", scene.id, *options) == 1
    told = capsys.readouterr()
    assert told.out == "" and "Traceback" not in told.err and told.err.startswith("immersive: ")
    assert run("links", scene.id) == 0
    assert "No links yet" in capsys.readouterr().err


def test_publish_needs_the_page_and_an_empty_folder(
    scene: SceneRecord, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("mine")
    assert run("publish", scene.id, "--static", str(tmp_path / "full")) == 1
    assert "Traceback" not in capsys.readouterr().err
    assert run("publish", "nothing", "--static", str(tmp_path / "new")) == 1
    assert not (tmp_path / "new").exists()


def test_a_code_for_a_headset_comes_from_the_server_that_runs(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["pair", site.url, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["page"] == f"{site.info.url}/pair" and told["expires_in_s"] == 600
    paired = httpx.post(f"{site.info.url}/api/pair", json={"code": told["code"]}).json()
    assert paired["path"] == site.link.path
    assert main(["pair", site.url]) == 0
    said = capsys.readouterr()
    assert len(said.out.strip()) == 6 and f"{site.info.url}/pair" in said.err.replace("\n", " ")
    assert main(["pair", site.url.split("#")[0] + "#wrong"]) == 1
    assert "wrong" in capsys.readouterr().err
    assert main(["pair", "http://127.0.0.1:1/v/abc#def"]) == 1
    assert "nothing answers at http://127.0.0.1:1" in capsys.readouterr().err
