"""A scene as a folder that any web host serves: the page, the pack and its table. No server of ours.

The page reads chunks from the pack by HTTP Range; from a host that ignores Range it takes the pack whole.
There are no links here: whoever finds the folder sees the scene, for as long as it lies there.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from reconstruction.errors import InvalidInputError
from streaming.messages import Scene, decode_from_server
from streaming.pack import MANIFEST_NAME, PACK_NAME, asset_json
from streaming.session import StreamedScene

from .card_loop import LOOP_NAME, ensure_loop, loop_path
from .catalog import Catalog
from .errors import DiskFullError, StoreError, is_disk_full
from .poster import POSTER_NAME, ensure_poster, poster_path
from .server.headers import static_policy
from .server.opened_scene import describe_scene
from .server.page_card import Card, with_head
from .server.services import PAGE_FOLDER

SCENE_NAME, TREE_NAME = "scene.json", "tree.bin"


def publish_static(
    catalog: Catalog, scene_id: str, folder: Path, *, url: str | None = None, page_folder: Path = PAGE_FOLDER
) -> int:
    """Write a scene into `folder` and return how many bytes lie there.

    Args:
        catalog: Where the scene is.
        scene_id: Its id, or the beginning of it.
        folder: Missing, empty, or written by this before; that is replaced.
        url: Where the folder will be found, for the picture that messengers show; None: no picture.
        page_folder: The built page.

    Raises:
        UnknownSceneError: No such scene.
        InvalidInputError: Something else lies in the folder, the address is none, or the page is not built.
        AssetFormatError: The pack is damaged.
        DiskFullError, StoreError: It cannot be written.
    """
    record = catalog.get(scene_id)
    index = page_folder / "index.html"
    if not index.is_file():
        raise InvalidInputError("the page is not built", hint="Run `make setup` in the repository.")
    is_taken = folder.is_dir() and any(folder.iterdir()) and not (folder / SCENE_NAME).is_file()
    if folder.is_file() or is_taken:
        raise InvalidInputError(
            f"{str(folder)!r} holds something else", hint="Give an empty folder, or one that does not exist."
        )
    if url is not None and not url.startswith(("https://", "http://")):
        raise InvalidInputError(f"url must begin with https://, got {url[:80]!r}")
    asset = catalog.asset(record.id)
    streamed = StreamedScene.prepare(asset, record.id, record.version)
    message = decode_from_server(streamed.scene_message)
    assert isinstance(message, Scene)
    opened = describe_scene(catalog, asset.manifest, record.id, "view")
    # Behind doorways are other scenes, which are not here.
    about = {
        "opened": opened.model_copy(update={"portals": {}}).model_dump(mode="json"),
        "scene": json.loads(message.json),
    }
    has_poster = ensure_poster(catalog, record)
    has_loop = url is not None and ensure_loop(catalog, record)
    card = Card(
        "" if url is None else url.rstrip("/"),
        "/",
        title=record.title,
        is_generated=record.is_generated,
        poster=f"/{POSTER_NAME}" if has_poster and url is not None else None,
        loop=f"/{LOOP_NAME}" if has_loop else None,
    )
    html = with_head(
        index.read_text("utf-8").replace('"/assets/', '"./assets/'),
        f'<meta http-equiv="Content-Security-Policy" content="{static_policy()}">\n    '
        f'<meta name="immersive-static" content="{SCENE_NAME}">\n    {card.head()}',
    )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # Last what the page begins with: until then there is no scene, or the one before.
        shutil.copytree(page_folder / "assets", folder / "assets", dirs_exist_ok=True)
        shutil.copyfile(catalog.pack_folder(record) / PACK_NAME, folder / PACK_NAME)
        if has_poster:
            shutil.copyfile(poster_path(catalog, record), folder / POSTER_NAME)
        if has_loop:
            shutil.copyfile(loop_path(catalog, record), folder / LOOP_NAME)
        (folder / MANIFEST_NAME).write_text(asset_json(asset), "utf-8")
        (folder / TREE_NAME).write_bytes(streamed.tree_message)
        (folder / SCENE_NAME).write_text(json.dumps(about, ensure_ascii=False), "utf-8")
        (folder / "index.html").write_text(html, "utf-8")
    except OSError as error:
        if is_disk_full(error):
            raise DiskFullError("the disk has no room for the folder; it is incomplete") from error
        raise StoreError(f"{str(folder)!r} cannot be written: {error.strerror}") from error
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
