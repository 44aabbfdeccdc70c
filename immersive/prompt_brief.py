"""The brief of a prompt, read by a language model where the environment sets one, and only once by it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from .brief import Detail, SceneBrief, Size
from .stages import StageStore, stage_digest

NO_MODEL: Mapping[str, str] = MappingProxyType({})  # an environment without a language model


def brief_of(
    prompt: str,
    *,
    seed: int = 0,
    size: Size = "medium",
    detail: Detail = "draft",
    environment: Mapping[str, str] = NO_MODEL,
    store: StageStore | None = None,
) -> SceneBrief:
    """Return what a prompt is understood as.

    Args:
        prompt: One or more sentences.
        seed: Chooses among the scenes that answer the prompt.
        size: Size of the scene unless the prompt gives one.
        detail: How finely the scene is rendered.
        environment: Holds the settings of a language model, or nothing.
        store: Keeps what a language model answers: the same prompt is asked once, so that an interrupted
            `create` resumes and a repeated one is the same scene. None: nothing is kept.

    Raises:
        InvalidInputError: The prompt or the settings cannot be used.
    """
    from .generation.llm_client import settings_from
    from .generation.understanding import understand

    settings = settings_from(environment)
    if settings is None:
        return understand(prompt, seed=seed, size=size, detail=detail)
    digest = stage_digest("brief", prompt, settings.url, settings.model, seed, size, detail)
    kept = None if store is None else store.load(digest)
    if kept is not None:
        return SceneBrief.from_json(kept[1]["brief"])
    brief = understand(prompt, seed=seed, size=size, detail=detail, llm=settings)
    # What the lexicon read in place of a model that failed is not kept: the model is asked again.
    if store is not None and f"words: read by {settings.name}" in brief.guessed:
        store.save(digest, {}, {"brief": brief.to_json()})
    return brief
