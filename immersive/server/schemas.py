"""The JSON of the REST API, as the OpenAPI document tells it."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field


class OpenLinkRequest(BaseModel):
    """What the page posts: the fragment of its address."""

    secret: str = Field(max_length=200)
    scene: str | None = Field(default=None, max_length=64, description="A scene that portals lead to.")


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


class OpenLinkResponse(BaseModel):
    """A scene and the two proofs that its link was opened."""

    scene: OpenedScene
    ticket: str
    ticket_expires_in_s: int
    bearer: str
    bearer_expires_in_s: int


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


class RenameRequest(BaseModel):
    """A new title."""

    title: str = Field(max_length=1000)


class CreateLinkRequest(BaseModel):
    """How long the link works, and whether anything may be told without its secret."""

    expires_in_s: float | None = None
    is_private: bool = True


class CreatedLink(BaseModel):
    """A new link; `path` holds the secret and is told only here."""

    link: dict[str, Any]
    path: str


class LinkList(BaseModel):
    """The links of a scene, newest first, without their secrets."""

    links: list[dict[str, Any]]


class LinkResponse(BaseModel):
    """One link, without its secret."""

    link: dict[str, Any]
