"""Hosted video models as backends: a key in the environment, a liftable prompt, a clip cut into frames."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from immersive.brief import SceneBrief
from immersive.errors import HostedError
from immersive.generation.backend import BackendSettings, Progress
from immersive.generation.liftable_prompt import ONWARD, negative, positive
from immersive.generation.start_picture import cut_to, jpeg_of, read_start, with_origin
from reconstruction.clip_audio import read_audio
from reconstruction.errors import InvalidInputError, MissingBackendError
from reconstruction.frames import FrameSequence, Provenance
from reconstruction.video import read_shots

from .clip_services import LumaService, OmniService, RunwayService, VeoService, VideosService
from .jobs import ClipOrder, Provider, make_ordered
from .paid_jobs import PaidJobs
from .transport import Transport

_WIDTH, _HEIGHT = 1280, 720
_SYNCHRONOUS_S = 600.0  # a reply that brings the clip with it takes as long as the clip


@dataclass(frozen=True, slots=True)
class HostedFamily:
    """A kind of service and what it needs of the environment."""

    key_variable: str  # secret
    url_variable: str  # address; overrules `url`
    url: str  # "" where only the user knows it
    model: str  # used if the user names none
    seconds: int  # near what lifting wants; the service offers it
    usd_per_s: float | None
    header: Callable[[str], Mapping[str, str]]
    build: Callable[[Transport, str, float | None, Mapping[str, str]], Provider]
    is_keyless: bool = False  # a server of one's own may need none


def _bearer(key: str) -> Mapping[str, str]:
    return {"Authorization": f"Bearer {key}"}


def _veo(transport: Transport, name: str, usd: float | None, environment: Mapping[str, str]) -> Provider:
    project = environment.get("GOOGLE_CLOUD_PROJECT", "")
    if not project:
        raise MissingBackendError(name, "needs a project", "Set GOOGLE_CLOUD_PROJECT.")
    location = environment.get("GOOGLE_CLOUD_LOCATION", "us-central1")
    return VeoService(transport, name, usd, project=project, location=location)


FAMILIES: dict[str, HostedFamily] = {
    "videos": HostedFamily(
        key_variable="IMMERSIVE_VIDEOS_KEY",
        url_variable="IMMERSIVE_VIDEOS_URL",
        url="",
        model="",
        seconds=8,
        usd_per_s=None,
        header=_bearer,
        build=lambda transport, name, usd, _: VideosService(transport, name, usd),
        is_keyless=True,
    ),
    "gemini-omni": HostedFamily(
        key_variable="GEMINI_API_KEY",
        url_variable="IMMERSIVE_GEMINI_URL",
        url="https://generativelanguage.googleapis.com",
        model="gemini-omni-1.2-flash",
        seconds=8,
        usd_per_s=0.10,
        header=lambda key: {"x-goog-api-key": key},
        build=lambda transport, name, usd, _: OmniService(transport, name, usd),
    ),
    "veo": HostedFamily(
        key_variable="IMMERSIVE_VERTEX_TOKEN",
        url_variable="IMMERSIVE_VERTEX_URL",
        url="https://us-central1-aiplatform.googleapis.com",
        model="veo-3.1-generate-001",
        seconds=8,
        usd_per_s=0.40,
        header=_bearer,
        build=_veo,
    ),
    "runway": HostedFamily(
        key_variable="RUNWAYML_API_SECRET",
        url_variable="IMMERSIVE_RUNWAY_URL",
        url="https://api.dev.runwayml.com",
        model="gen4.5",
        seconds=10,
        usd_per_s=0.25,
        header=lambda key: {**_bearer(key), "X-Runway-Version": "2024-11-06"},
        build=lambda transport, name, usd, _: RunwayService(transport, name, usd),
    ),
    "luma": HostedFamily(
        key_variable="LUMAAI_API_KEY",
        url_variable="IMMERSIVE_LUMA_URL",
        url="https://api.lumalabs.ai",
        model="ray-2",
        seconds=9,
        usd_per_s=0.20,
        header=_bearer,
        build=lambda transport, name, usd, _: LumaService(transport, name, usd),
    ),
}


def missing_variables(name: str, environment: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """Return the names of the variables that a hosted backend still needs; values are never looked into."""
    family = FAMILIES[name]
    missing = [] if family.is_keyless or environment.get(family.key_variable) else [family.key_variable]
    if not family.url and not environment.get(family.url_variable):
        missing.append(family.url_variable)
    if name == "veo" and not environment.get("GOOGLE_CLOUD_PROJECT"):
        missing.append("GOOGLE_CLOUD_PROJECT")
    return tuple(missing)


class HostedGenerator:
    """Frames of a clip that a service makes of the brief; their cameras are found afterwards."""

    def __init__(
        self,
        name: str,
        provider: Provider,
        order: ClipOrder,
        settings: BackendSettings,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.name = name
        self.notes: tuple[str, ...] = ()
        self._provider, self._order, self._settings, self._sleep = provider, order, settings, sleep

    def generate(self, brief: SceneBrief, progress: Progress) -> FrameSequence:
        """Return the sharp frames of the clip, without cameras.

        Raises:
            TooDearError: It would cost more than is allowed.
            HostedError: The service refused, failed, or sent something that is no clip.
        """
        picture = _first_frame(self._settings, self._order)
        order = replace(
            self._order, prompt=positive(brief), negative=negative(), seed=brief.seed % 2**31, image=picture
        )
        return self._film(order, 0, progress)

    def film_on(
        self, brief: SceneBrief, picture: NDArray[np.uint8], number: int, progress: Progress
    ) -> FrameSequence:
        """Return the sharp frames of a clip that goes on from `picture` [H, W, 3], without cameras.

        Raises:
            TooDearError: With the `number` clips before it, it would cost more than is allowed.
            HostedError: As of `generate`.
        """
        order = replace(
            self._order,
            prompt=positive(brief, camera=ONWARD),
            negative=negative(),
            seed=(brief.seed + number) % 2**31,
            image=jpeg_of(cut_to(picture, self._order.width, self._order.height)),
        )
        return self._film(order, number, progress)

    @property
    def about_usd(self) -> float | None:
        """About what a clip costs; None if it is not known."""
        return self._provider.about_usd(self._order)

    def _film(self, order: ClipOrder, before: int, progress: Progress) -> FrameSequence:
        """Return the frames of the clip that is ordered, after `before` others for the same scene."""
        if self._settings.journal is None:
            raise InvalidInputError("a hosted backend needs a folder for its journal, got none")
        journal = PaidJobs(self._settings.journal)
        try:
            clip = make_ordered(
                self._provider,
                order,
                journal,
                suffix=".mp4",
                most_cost_usd=self._settings.most_cost_usd,
                progress=progress,
                before=before,
                sleep=self._sleep,
            )
        finally:
            self._provider.close()
        try:
            frames = next(iter(read_shots(clip.path)))
        except InvalidInputError as error:
            clip.path.unlink(missing_ok=True)  # the next call fetches it again
            raise HostedError(
                f"what {self.name} sent is no clip that can be read: {error}",
                hint="Run the same command again: it is fetched anew, nothing is ordered twice.",
            ) from error
        model = " ".join(part for part in (self.name, self._order.model) if part)
        detail = with_origin(model, self._settings.image)
        self.notes = clip.notes
        provenance = Provenance(self.name, is_generated=True, detail=detail)
        return replace(frames, provenance=provenance, audio=read_audio(clip.path))


def _first_frame(settings: BackendSettings, order: ClipOrder) -> bytes | None:
    return (
        None
        if settings.image is None
        else jpeg_of(cut_to(read_start(settings.image), order.width, order.height))
    )


def create(
    name: str,
    settings: BackendSettings,
    environment: Mapping[str, str] = os.environ,
    sleep: Callable[[float], None] = time.sleep,
) -> HostedGenerator:
    """Return a hosted backend; its key and address come from the environment only.

    Raises:
        MissingBackendError: A variable is not set.
        InvalidInputError: The address is none, or the key would travel unencrypted.
    """
    family = FAMILIES[name]
    missing = missing_variables(name, environment)
    if missing:
        raise MissingBackendError(name, f"needs {' and '.join(missing)}", "Set it in the environment.")
    key = environment.get(family.key_variable, "")
    transport = Transport(
        provider=name,
        base_url=environment.get(family.url_variable) or _address(name, family, environment),
        headers=family.header(key) if key else {},
        key_variable=family.key_variable,
        timeout_s=_SYNCHRONOUS_S if name == "gemini-omni" else 60.0,
        sleep=sleep,
    )
    provider = family.build(transport, name, _price(name, family, environment), environment)
    model = settings.model or family.model
    order = ClipOrder("", "", family.seconds, _WIDTH, _HEIGHT, 0, model)
    return HostedGenerator(name, provider, order, settings, sleep)


def _address(name: str, family: HostedFamily, environment: Mapping[str, str]) -> str:
    location = environment.get("GOOGLE_CLOUD_LOCATION") if name == "veo" else None
    return family.url.replace("us-central1", location) if location else family.url


def _price(name: str, family: HostedFamily, environment: Mapping[str, str]) -> float | None:
    variable = f"IMMERSIVE_{name.upper().replace('-', '_')}_USD_PER_S"
    text = environment.get(variable)
    if text is None:
        return family.usd_per_s
    try:
        price = float(text)
    except ValueError:
        price = -1.0
    if not 0 <= price < 1_000:
        raise InvalidInputError(f"{variable} must be a price in dollars, got {text[:20]!r}")
    return price
