"""The generator that needs nothing: it builds the place and renders a walk through it."""

from __future__ import annotations

from immersive.brief import SceneBrief
from immersive.generation.backend import BackendSettings, Progress, ShowFrame
from immersive.generation.coverage import built_kinds
from immersive.generation.trajectory import DETAIL, plan_path
from reconstruction.errors import InvalidInputError
from reconstruction.frames import FrameSequence, Landmark, Provenance

from .outdoor import build_outdoor
from .rays import ray_scene
from .render import render
from .vocabulary import SETTINGS, VOCABULARY
from .world import World

_BUILD_SHARE = 0.06  # of the progress bar


class ProceduralGenerator:
    """Builds the place a brief describes, plans a walk through it and renders what a visitor sees."""

    name = "procedural"

    def __init__(self, show: ShowFrame = lambda image: None) -> None:
        self.notes: tuple[str, ...] = ()
        self._show = show

    def generate(self, brief: SceneBrief, progress: Progress) -> FrameSequence:
        """Return frames with exact cameras and depths; the same brief gives the same bytes.

        Args:
            brief: What to build. Its `setting` must be one of `vocabulary.SETTINGS`.
            progress: Called with the share done and a phrase; it raises `CancelledError` to stop.

        Raises:
            InvalidInputError: The setting is unknown or does not match `is_indoor`.
        """
        setting = SETTINGS.get(brief.setting)
        if setting is None or setting.is_indoor != brief.is_indoor:
            raise InvalidInputError(
                f"setting must be an {'indoor' if brief.is_indoor else 'outdoor'} one, got {brief.setting!r}",
                hint=f"Choose one of {', '.join(sorted(SETTINGS))}.",
            )
        progress(0.0, "building the place")
        world = build_world(brief)
        budget = DETAIL[brief.detail]
        scene = ray_scene(world.mesh)
        camera_plan = plan_path(world, brief, budget.width, budget.height, brief.seed, scene=scene)
        self.notes = _notes_on(world, camera_plan.unseen)
        progress(_BUILD_SHARE, "setting the light")

        def rendering(share: float) -> None:
            progress(
                _BUILD_SHARE + (1 - _BUILD_SHARE) * share,
                "filming the walk" if share > 0.3 else "setting the light",
            )

        images, depths = render(world, camera_plan.cameras, rendering, scene=scene, show=self._show)
        frames = FrameSequence(
            images=images,
            provenance=Provenance("procedural", is_generated=True, detail=brief.prompt),
            cameras=camera_plan.cameras,
            depths=depths,
            held_out=camera_plan.held_out,
            water_y=world.water_y,
            landmarks=tuple(Landmark(point.name, point.position) for point in world.points_of_interest),
        )
        return frames.in_world_frame()


def build_world(brief: SceneBrief) -> World:
    """Return the room or the outdoor place of a brief."""
    if brief.is_indoor:
        from .room import build_room

        return build_room(brief)
    return build_outdoor(brief)


def _notes_on(world: World, unseen: tuple[str, ...]) -> tuple[str, ...]:
    """Return a sentence for each kind that was named and is not shown, and each relation not kept."""
    built = built_kinds(world)
    unkept = tuple(f"no place was found for this: {relation}" for relation in world.unkept)
    return unkept + tuple(
        f"little of the {VOCABULARY[kind].words[0]} can be seen from the walk"
        if kind in built
        else f"no place was found for the {VOCABULARY[kind].words[0]}"
        for kind in unseen
    )


def create(name: str, settings: BackendSettings) -> ProceduralGenerator:
    """Return the backend; `generation.backend` calls this."""
    return ProceduralGenerator(settings.show_frame)
