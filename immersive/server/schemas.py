"""The JSON of the REST API, as the OpenAPI document tells it."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from ..link_terms import Scope, Visibility


class OpenLinkRequest(BaseModel):
    """What the page posts: the fragment of its address."""

    secret: str = Field(max_length=200)
    scene: str | None = Field(default=None, max_length=64, description="A scene that portals lead to.")
    password: str = Field(default="", max_length=200)


class GrowthState(BaseModel):
    """How far a scene is that is still being made."""

    label: str = Field(description="What is being done, in words.")
    share: float = Field(description="Of that, 0..1.")
    seconds_left: float | None = Field(description="Of that, as far as anyone can tell.")
    is_stopped: bool = Field(description="Nobody works on it at the moment.")
    has_splats: bool = Field(description="There is something to walk in.")
    frames: list[str] = Field(description="Base64 of WebP pictures, along the way of the camera.")


class OpenedScene(BaseModel):
    """What a visitor is told before the stream."""

    id: str
    version: str
    title: str
    splat_count: int
    byte_length: int
    is_generated: bool
    quality: dict[str, Any] | None
    walkability: dict[str, Any] | None
    spawn: dict[str, Any]
    eye_height_m: float
    bounds_min: tuple[float, float, float]
    bounds_max: tuple[float, float, float]
    background: tuple[float, float, float]
    portals: dict[int, str] = Field(description="Scene ids behind the manifest's portals, by their index.")
    scope: Scope = Field(description="What the link allows; behind doorways `view`, whatever it is.")
    notes: str
    visibility: Visibility
    remix_of: str | None = Field(description="Title of the scene that this one was forked from.")
    is_growing: bool = Field(description="A draft: the finished scene will take its place under this link.")


class OpenLinkResponse(BaseModel):
    """A scene and the two proofs that its link was opened; without scene and ticket if there is none yet."""

    scene: OpenedScene | None
    ticket: str | None
    ticket_expires_in_s: int
    bearer: str
    bearer_expires_in_s: int


class GrowthResponse(BaseModel):
    """How far the scene of a link is, and which version it shows."""

    title: str
    growth: GrowthState | None = Field(description="Null when the scene is finished.")
    version: str | None = Field(description="Null while there is nothing to walk in.")


class Preview(BaseModel):
    """What anyone may know about a link that is not private."""

    title: str
    is_generated: bool


class SceneList(BaseModel):
    """All scenes, newest first."""

    scenes: list[dict[str, Any]]


class SceneResponse(BaseModel):
    """One scene."""

    scene: dict[str, Any]


class SpawnBody(BaseModel):
    """Where visitors begin: their feet, in metres, and where they look."""

    position: tuple[float, float, float]
    yaw_deg: float


class EditRequest(BaseModel):
    """What is to be changed; what is left out stays."""

    title: str | None = Field(default=None, max_length=1000)
    notes: str | None = Field(default=None, max_length=10_000)
    spawn: SpawnBody | None = None
    has_sound: bool | None = None
    visibility: Visibility | None = None


class EditedScene(BaseModel):
    """A scene as it is now, for whoever changed it."""

    scene: dict[str, Any]
    edit: dict[str, Any]


class RemixRequest(BaseModel):
    """How the copy is called; left out: as the scene it comes from."""

    title: str | None = Field(default=None, max_length=1000)


class RemixedScene(BaseModel):
    """A copy, and an edit link to it; `path` holds the secret and is told only here."""

    scene: dict[str, Any]
    link: dict[str, Any]
    path: str
    recipe: dict[str, Any] = Field(description="What the scene was made from, to make another with `create`.")


class CreateLinkRequest(BaseModel):
    """What the link allows, to whom and for how long; and how much is told without its secret."""

    scope: Scope = "view"
    visibility: Visibility = "private"
    expires_in_s: float | None = None
    max_opens: int | None = None
    password: str | None = Field(default=None, max_length=1000)
    embed_origins: list[str] = Field(default=[], max_length=100)


class OpenList(BaseModel):
    """Who opened a link or tried to, newest first, the latest thousand."""

    opens: list[dict[str, Any]]


class CreatedLink(BaseModel):
    """A new link; `path` holds the secret and is told only here."""

    link: dict[str, Any]
    path: str


class LinkList(BaseModel):
    """The links of a scene, newest first, without their secrets."""

    links: list[dict[str, Any]]


class PairLinkRequest(BaseModel):
    """The secret of the link that a headset is to open."""

    secret: str = Field(max_length=200)


class PairingCode(BaseModel):
    """Six characters for `/pair`."""

    code: str
    expires_in_s: int


class PairRequest(BaseModel):
    """What was typed; spaces, dashes and small letters are no matter."""

    code: str = Field(max_length=40)


class PairedLink(BaseModel):
    """The link behind a code, with its secret."""

    path: str


class LinkResponse(BaseModel):
    """One link, without its secret."""

    link: dict[str, Any]
