"""Fixtures of the server's tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from immersive.catalog import Catalog
from immersive.server.run import start_in_thread
from immersive.share import Links
from tests.immersive.served_site import ASSET, Site


@pytest.fixture
def page_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "page"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text("<!doctype html><head><title>Immersive</title></head>")
    (folder / "assets" / "index-abc.js").write_text("export {};")
    (folder / "icon.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    (tmp_path / "secret.txt").write_text("not for anyone")
    return folder


@pytest.fixture
def site(tmp_path: Path, page_folder: Path) -> Iterator[Site]:
    catalog = Catalog(tmp_path / "home")
    scene = catalog.publish(ASSET)
    links = Links(catalog)
    with start_in_thread(tmp_path / "home", page_folder=page_folder) as info:
        owner = {"Authorization": f"Bearer {info.owner_token}"}
        yield Site(info, catalog, links, scene, links.create(scene.id), owner)
    catalog.close()


@pytest.fixture(scope="module")
def shared_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    home = tmp_path_factory.mktemp("shared")
    catalog = Catalog(home)
    scene = catalog.publish(ASSET)
    links = Links(catalog)
    with start_in_thread(home) as info:
        yield Site(info, catalog, links, scene, links.create(scene.id), {})
    catalog.close()
