"""Video models of diffusers as a backend: `diffusion=FOLDER` or `diffusion=NAME` of a model hub.

What the built-in world can give better than words, it gives: a first frame, a camera path, a video of depths.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import NDArray

from immersive.brief import SceneBrief
from immersive.generation.backend import BackendSettings, Progress
from immersive.generation.glide import plan_glide
from immersive.generation.liftable_prompt import ONWARD, negative, positive
from immersive.generation.start_picture import cut_to, read_start, with_origin
from reconstruction.audio import AudioTrack
from reconstruction.cameras import Cameras
from reconstruction.conventions import F32
from reconstruction.errors import ImmersiveError, InvalidInputError, MissingBackendError, ModelFailedError
from reconstruction.frames import FrameSequence, Provenance
from reconstruction.posed_frames import choose_held_out

from .families import FAMILIES, Family

# Pictures whose brightest and darkest values are nearer show nothing: a failed run in half precision.
_LEAST_RANGE = 8
_FAR_M = 40.0  # depth pictures are black from here on
_ROOMY_BYTES = 40 * 2**30  # with less memory, parts of a model wait in main memory


@dataclass(frozen=True, slots=True, eq=False)
class _Stage:
    """What the built-in world gives to a model that wants more than words."""

    cameras: Cameras
    first_frame: NDArray[np.uint8]  # [H, W, 3]
    depths: F32 | None  # [F, H, W]


class DiffusionGenerator:
    """Films a brief with a loaded pipeline."""

    name = "diffusion"

    def __init__(self, pipeline: Any, model: str, settings: BackendSettings) -> None:
        self.notes: tuple[str, ...] = ()
        self._pipeline, self._model, self._settings = pipeline, model, settings
        self._family = _family_of(pipeline)

    def generate(self, brief: SceneBrief, progress: Progress) -> FrameSequence:
        """Return the frames of a clip, with the cameras and depths that the model was told, if it was.

        Raises:
            ModelFailedError: Out of memory, the pipeline gave up, or the frames show nothing.
        """
        family, start, size = self._family, self._settings.image, self._size
        first_frame = None if start is None else cut_to(read_start(start), size["width"], size["height"])
        self._tell(progress)
        needs_world = family.needs in ("path", "depth") or (family.needs == "image" and first_frame is None)
        stage = _stage(brief, size, progress, with_depths=family.needs == "depth") if needs_world else None
        frames = self._film(positive(brief), brief.seed, stage, first_frame, progress)
        if first_frame is not None and family.needs == "path":
            self.notes += ("the picture is taken to be seen through the lens that the model was told",)
        return frames

    def film_on(
        self, brief: SceneBrief, picture: NDArray[np.uint8], number: int, progress: Progress
    ) -> FrameSequence:
        """Return a clip that goes on from `picture` [H, W, 3], on the same path if the model is told one.

        Raises:
            ModelFailedError: As of `generate`.
        """
        size = self._size
        self._tell(progress)
        stage = _stage(brief, size, progress, with_depths=False) if self._family.needs == "path" else None
        first_frame = cut_to(picture, size["width"], size["height"])
        words = positive(brief, camera=ONWARD)
        return self._film(words, (brief.seed + number) % 2**32, stage, first_frame, progress)

    @property
    def _size(self) -> dict[str, int]:
        family = self._family
        return family.sized(family.width, family.height, family.frames, family.steps)

    def _tell(self, progress: Progress) -> None:
        size, kind = self._size, type(self._pipeline).__name__
        progress(0.0, f"{kind}: {size['num_frames']} frames of {size['width']}x{size['height']}")

    def _film(
        self,
        words: str,
        seed: int,
        stage: _Stage | None,
        first_frame: NDArray[np.uint8] | None,
        progress: Progress,
    ) -> FrameSequence:
        family, size, kind = self._family, self._size, type(self._pipeline).__name__
        arguments = {"prompt": words, **size, **family.extra, **_inputs(family, stage, first_frame)}
        if not family.takes_size:
            del arguments["width"], arguments["height"]
        if family.has_negative:
            arguments["negative_prompt"] = negative()
        output = self._run(arguments, seed, _watch(progress, size["num_inference_steps"]))
        images = _frames_of(output.frames, family)
        self.notes = (f"filmed by {kind}: {len(images)} frames of {images.shape[2]}x{images.shape[1]}",)
        detail = with_origin(self._model, self._settings.image)
        frames = FrameSequence(images, Provenance("diffusion", is_generated=True, detail=detail))
        if family.has_audio:
            frames = replace(frames, audio=_audio_of(output, self._pipeline))
        if stage is None or family.needs == "image":
            return frames
        cameras = stage.cameras.subset(range(len(images))).resized(images.shape[2], images.shape[1])
        held_out = choose_held_out(len(images))
        if family.needs == "path":
            return replace(frames, cameras=cameras, held_out=held_out).in_world_frame()
        assert stage.depths is not None
        depths = stage.depths[: len(images)]
        return replace(frames, cameras=cameras, depths=depths, held_out=held_out).in_world_frame()

    def _run(self, arguments: dict[str, Any], seed: int, watch: Callable[..., Any]) -> Any:
        import torch

        kind = type(self._pipeline).__name__
        # On the CPU, so that a seed means the same noise on every machine.
        generator = torch.Generator("cpu").manual_seed(seed)
        told = nullcontext() if self._family.has_callback else _watched(self._pipeline, watch)
        if self._family.has_callback:
            arguments["callback_on_step_end"] = watch
        try:
            with torch.inference_mode(), told:
                return self._pipeline(**arguments, generator=generator, output_type="np")
        except (torch.OutOfMemoryError, MemoryError) as error:
            raise ModelFailedError(
                f"{kind} needs more memory than there is", hint="Use a smaller model, or a machine with more."
            ) from error
        except ImmersiveError:  # whoever watches may stop it
            raise
        except (ValueError, RuntimeError) as error:  # the pipeline's own checks, and failures of its parts
            raise ModelFailedError(
                f"{kind} stopped: {_short(error)}", hint="Try other words, another seed, or another model."
            ) from error


@contextmanager
def _watched(pipeline: Any, watch: Callable[..., Any]) -> Iterator[None]:
    """Tell of the steps of a pipeline that has no callback: its scheduler makes one a step."""
    scheduler, done = pipeline.scheduler, count()
    step = scheduler.step

    def told(*args: Any, **named: Any) -> Any:
        made = step(*args, **named)
        watch(pipeline, next(done), None, {})
        return made

    scheduler.step = told
    try:
        yield
    finally:
        del scheduler.step


def _short(error: BaseException) -> str:
    """Return what an error of somebody else's says, on one short line."""
    said = " ".join(str(error).split())[:160].rstrip(" .")
    return said or type(error).__name__


def _family_of(pipeline: Any) -> Family:
    family = FAMILIES.get(type(pipeline).__name__)
    if family is None:
        known = ", ".join(sorted(FAMILIES))
        raise InvalidInputError(
            f"a {type(pipeline).__name__} does not film places from words", hint=f"These do: {known}."
        )
    return family


def _stage(brief: SceneBrief, size: dict[str, int], progress: Progress, *, with_depths: bool) -> _Stage:
    from immersive.generation.procedural.generator import build_world
    from immersive.generation.procedural.render import render

    progress(0.01, "building the first frame")
    world = build_world(brief)
    cameras = plan_glide(world, size["num_frames"], size["width"], size["height"])
    seen = cameras if with_depths else cameras.subset([0])
    images, depths = render(
        world, seen, lambda share: progress(0.01 + 0.09 * share, "building the first frame")
    )
    return _Stage(cameras, images[0], depths if with_depths else None)


def _inputs(
    family: Family, stage: _Stage | None, first_frame: NDArray[np.uint8] | None = None
) -> dict[str, Any]:
    """Return what a family wants besides words; a `first_frame` [H, W, 3] takes the place of the world's."""
    from PIL import Image

    if stage is None:
        return {} if first_frame is None else {"image": Image.fromarray(first_frame)}
    if family.needs == "depth":
        assert stage.depths is not None
        # Near is bright, as depth controls are trained.
        bright = np.clip(1.0 - np.minimum(stage.depths, _FAR_M) / _FAR_M, 0.0, 1.0)
        pictures = np.repeat(np.rint(255 * bright).astype(np.uint8)[..., None], 3, axis=3)
        return {"video": [Image.fromarray(picture) for picture in pictures]}
    inputs: dict[str, Any] = {
        "image": Image.fromarray(stage.first_frame if first_frame is None else first_frame)
    }
    if family.needs == "path":
        K = stage.cameras.Ks[0]
        c2w = np.linalg.inv(stage.cameras.viewmats.astype(np.float64))
        # The model's world begins at its first camera; OpenCV axes are what we have.
        inputs["c2w"] = (np.linalg.inv(c2w[0]) @ c2w).astype(np.float32)
        inputs["intrinsics"] = [float(K[0, 0]), float(K[1, 1]), float(K[0, 2]), float(K[1, 2])]
    return inputs


def _watch(progress: Progress, steps: int) -> Callable[..., dict[str, Any]]:
    def step_done(pipeline: Any, step: int, timestep: Any, tensors: dict[str, Any]) -> dict[str, Any]:
        progress(0.1 + 0.85 * (step + 1) / steps, f"step {step + 1} of {steps}")
        return tensors

    return step_done


def _frames_of(frames: Any, family: Family) -> NDArray[np.uint8]:
    values = np.asarray(frames[0] if family.is_batched else frames)
    if values.dtype != np.uint8:
        if not np.isfinite(values).all():
            raise ModelFailedError(
                "the model's frames are not numbers", hint="Try another precision, or update the model."
            )
        values = np.rint(255 * np.clip(values, 0.0, 1.0)).astype(np.uint8)
    if int(values.max()) - int(values.min()) < _LEAST_RANGE:
        raise ModelFailedError("the model's frames show nothing", hint="Try another seed or another model.")
    return np.ascontiguousarray(values)


def _audio_of(output: Any, pipeline: Any) -> AudioTrack | None:
    audio = getattr(output, "audio", None)
    if audio is None:
        return None
    samples = np.asarray(audio[0].float().cpu() if hasattr(audio[0], "cpu") else audio[0], np.float32)
    channels = np.atleast_2d(samples)[:2]
    if not np.isfinite(channels).all() or channels.shape[1] == 0:
        return None
    rate_hz = int(pipeline.vocoder.config.output_sampling_rate)
    return AudioTrack(np.ascontiguousarray(np.clip(channels, -1, 1).T), rate_hz)


def _check_package(name: str, package: str, how: str) -> None:
    if importlib.util.find_spec(package) is None:
        raise MissingBackendError(name, f"needs {package}", how)


def _check_wishes(pipeline: Any, family: Family, settings: BackendSettings) -> None:
    if family.needs in ("image", "path"):
        return
    led = "words" if family.needs == "text" else "words and depths"
    if settings.image is not None:
        raise InvalidInputError(
            f"a {type(pipeline).__name__} films from {led}, it takes no picture to begin with",
            hint="Name image-to-video weights, or leave out --image.",
        )
    if settings.extends:
        raise InvalidInputError(
            f"a {type(pipeline).__name__} films from {led} and goes on from no picture",
            hint="Name image-to-video weights, or leave out --extend.",
        )


def create(name: str, settings: BackendSettings) -> DiffusionGenerator:
    """Load the pipeline that `settings.model` names, as diffusers does for everybody.

    Raises:
        MissingBackendError: diffusers is not installed, or what the model wants besides.
        InvalidInputError: No model is named, it cannot be loaded, or it does not film places.
        ModelFailedError: It does not fit into memory.
    """
    if settings.model is None:
        raise InvalidInputError(
            "diffusion needs a model", hint="Write --backend diffusion=FOLDER, or =NAME of a model hub."
        )
    for package in ("diffusers", "transformers"):
        _check_package(name, package, "pip install 'immersive[diffusion]'")
    import torch
    from diffusers import DiffusionPipeline

    device = settings.device or ("cuda" if torch.cuda.is_available() else "cpu")
    precision = torch.float32 if device == "cpu" else torch.bfloat16
    try:
        pipeline = DiffusionPipeline.from_pretrained(settings.model, dtype=precision)
    except ImportError as error:  # diffusers names the package in its own words, and how to get it
        raise MissingBackendError(
            name, f"cannot load this model: {_short(error)}", "Install what it names, or use another model."
        ) from error
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise ModelFailedError(
            f"{settings.model!r} needs more memory than there is",
            hint="Use a smaller model, or a machine with more.",
        ) from error
    except (OSError, ValueError, TypeError, AttributeError, KeyError) as error:
        raise InvalidInputError(
            f"{settings.model!r} cannot be loaded as a video model: {_short(error)}",
            hint="Name a folder with model_index.json, or a model of the hub that this machine can reach.",
        ) from error
    family = _family_of(pipeline)  # before gigabytes move
    for package in family.packages:
        _check_package(name, package, f"pip install {package}")
    _check_wishes(pipeline, family, settings)
    pipeline.set_progress_bar_config(disable=True)
    if device == "cpu":
        return DiffusionGenerator(pipeline, settings.model, settings)
    if torch.cuda.get_device_properties(device).total_memory < _ROOMY_BYTES:
        pipeline.enable_model_cpu_offload(device=device)
    else:
        pipeline.to(device)
    return DiffusionGenerator(pipeline, settings.model, settings)
