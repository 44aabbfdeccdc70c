"""Portals: in the asset, in the catalog, and through a link on a real server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect as open_socket

from immersive.catalog import Catalog, SceneRecord
from immersive.database import Database
from immersive.errors import UnknownSceneError
from immersive.server import viewers
from immersive.server.run import start_in_thread
from immersive.share import Links
from streaming.asset import Portal, SplatAsset
from streaming.errors import AssetFormatError
from streaming.messages import LINK_REVOKED, NOT_FOUND, SUBPROTOCOL, Error, Scene, decode_from_server
from streaming.pack import asset_json, parse_asset_json
from tests.immersive.older_catalog import older_catalog
from tests.streaming.opaque_asset import opaque_asset

DOOR = Portal((1.5, -0.25, -6.0), 12.5, 1.1, 2.2, "The kitchen", (0.5, 0.0, 3.0), -170.0)


def with_doors(asset: SplatAsset, *doors: Portal) -> SplatAsset:
    return replace(asset, manifest=replace(asset.manifest, portals=doors))


def test_portals_travel_in_the_asset() -> None:
    other = replace(DOOR, title="Garden", width_m=0.9)
    manifest, _ = parse_asset_json(asset_json(with_doors(opaque_asset(), DOOR, other)).encode())

    assert manifest.portals == (DOOR, other)


def test_an_asset_from_before_portals_has_none() -> None:
    document = json.loads(asset_json(opaque_asset()))
    del document["manifest"]["portals"]

    manifest, _ = parse_asset_json(json.dumps(document).encode())

    assert manifest.portals == ()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"position": [0.0, 1.0]}, "portal 0.position must be 3 numbers"),
        ({"position": [0.0, 1.0, 1e9]}, "portal 0 must lie within"),
        ({"yaw_deg": float("nan")}, "portal 0 must lie within"),
        ({"width_m": 0.0}, "0.3 to 20 m wide"),
        ({"title": "two\nlines"}, "the title of portal 0"),
        ({"title": "x" * 201}, "the title of portal 0"),
        ({"lever": 1}, "exactly its fields"),
    ],
)
def test_a_broken_portal_is_told(change, sentence) -> None:
    document = json.loads(asset_json(with_doors(opaque_asset(), DOOR)))
    document["manifest"]["portals"][0] |= change

    with pytest.raises(AssetFormatError, match=sentence):
        parse_asset_json(json.dumps(document).encode())


@pytest.mark.parametrize("rows", ["doors", {}, 17 * [{}], [3]])
def test_what_is_no_list_of_portals_is_told(rows) -> None:
    document = json.loads(asset_json(opaque_asset()))
    document["manifest"]["portals"] = rows

    with pytest.raises(AssetFormatError, match="portal"):
        parse_asset_json(json.dumps(document).encode())


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    catalog = Catalog(tmp_path / "home")
    yield catalog
    catalog.close()


@pytest.fixture
def chain(catalog: Catalog) -> list[SceneRecord]:
    """Three scenes, the first leads to the second and that to the third; a fourth stands alone."""
    scenes = [
        catalog.publish(with_doors(opaque_asset(f"Place {seed}", seed), *doors))
        for seed, doors in ((1, (DOOR,)), (2, (DOOR,)), (3, ()), (4, ()))
    ]
    catalog.connect(scenes[0].id, [scenes[1].id])
    catalog.connect(scenes[1].id, [scenes[2].id])
    return scenes


def test_the_catalog_knows_where_portals_lead(catalog: Catalog, chain: list[SceneRecord]) -> None:
    first, second, third, alone = (scene.id for scene in chain)

    assert catalog.portals(first) == {0: second} and catalog.portals(third) == {}
    assert catalog.leads_to(first, third) and catalog.leads_to(first, first)
    assert not catalog.leads_to(third, first) and not catalog.leads_to(first, alone)
    catalog.connect(third, [first])  # a round walk ends
    assert catalog.leads_to(second, first) and not catalog.leads_to(second, alone)
    with pytest.raises(UnknownSceneError):
        catalog.connect(first, ["nowhere"])
    assert catalog.portals(first) == {0: second}
    catalog.delete(second)
    assert catalog.portals(first) == {} and not catalog.leads_to(first, third)


def test_a_catalog_from_before_portals_is_brought_up_to_date(tmp_path: Path) -> None:
    older_catalog(tmp_path, 1)

    database = Database(tmp_path / "catalog.sqlite")

    assert database.read("SELECT count(*) FROM portal")[0][0] == 0
    database.close()


def test_a_link_opens_what_its_portals_lead_to_and_nothing_else(
    catalog: Catalog, chain: list[SceneRecord], tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr(viewers, "REVOCATION_CHECK_S", 0.05)
    link = Links(catalog).create(chain[0].id)
    with start_in_thread(tmp_path / "home", page_folder=tmp_path) as info:
        address = f"{info.url}/api/links/{link.id}/open"

        def open_(scene: str | None) -> httpx.Response:
            return httpx.post(address, json={"secret": link.secret, "scene": scene})

        assert open_(None).json()["scene"]["portals"] == {"0": chain[1].id}
        told = open_(chain[2].id).json()
        assert told["scene"]["title"] == "Place 3" and told["scene"]["portals"] == {}
        wrong = [open_(scene) for scene in (chain[3].id, "nothing", "", chain[2].id[:6])]
        assert {answer.status_code for answer in wrong} == {404}
        assert len({answer.json()["error"]["code"] for answer in wrong}) == 1  # it may exist or not

        # The ticket is for the place behind the portal, and so is the bearer.
        headers = {"Authorization": f"Bearer {told['bearer']}"}
        pack = [httpx.get(f"{info.url}/api/scenes/{chain[i].id}/pack", headers=headers) for i in (2, 0)]
        assert [answer.status_code for answer in pack] == [200, 401]
        assert pack[0].content == catalog.asset(chain[2].id).pack
        place = f"ws://127.0.0.1:{info.port}/ws?ticket={told['ticket']}&credit=4000"
        with open_socket(place, subprotocols=[SUBPROTOCOL], compression=None, proxy=None) as socket:
            while not isinstance(scene := decode_from_server(socket.recv(timeout=10)), Scene):
                pass  # the root chunks come first
            assert json.loads(scene.json)["manifest"]["title"] == "Place 3"
            catalog.delete(chain[1].id)  # the way is gone, and who came by it with it
            with pytest.raises(ConnectionClosed) as closed:
                while not isinstance(decode_from_server(socket.recv(timeout=10)), Error):
                    pass
                socket.recv(timeout=10)
        assert closed.value.rcvd is not None and closed.value.rcvd.code in (LINK_REVOKED, NOT_FOUND)
        assert open_(chain[2].id).status_code == 404
