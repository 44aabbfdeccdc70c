"""Briefs as people write them: a TOML file with a prompt, and whatever of the scene is to be otherwise.

A key of the file wins over what the prompt says; `elements` replaces every thing that the prompt names.
`write_brief` gives the whole of a brief in this form, so that it can be edited and built again.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from reconstruction.errors import InvalidInputError

from .brief import Element, SceneBrief
from .prompt_brief import NO_MODEL, brief_of
from .request import SEED_LIMIT
from .stages import StageStore

_LARGEST_BYTES = 64 * 1024  # a prompt has at most 2,000 characters, and 64 elements take 10 kB
_TYPES: dict[str, type] = {"title": str, "prompt": str, "seed": int, "size": str, "detail": str}
_SCENE_KEYS = ("setting", "time", "weather", "season", "style", "elements")


@dataclass(frozen=True, slots=True)
class BriefFile:
    """A read file: the brief, and the title its author gave it."""

    brief: SceneBrief
    title: str | None


def read_brief(
    path: Path, *, environment: Mapping[str, str] = NO_MODEL, store: StageStore | None = None
) -> BriefFile:
    """Read a TOML brief: `prompt` and, if wanted, `title`, `seed`, `size`, `detail` and the scene's own keys.

    Args:
        path: The file.
        environment: Holds the settings of a language model for the prompt, or nothing.
        store: Keeps what the model answers.

    Raises:
        InvalidInputError: The file cannot be read, is not TOML, or a key or value is not allowed.
    """
    values = _values(path)
    scene = {name: values.pop(name) for name in _SCENE_KEYS if name in values}
    for name, value in values.items():
        wanted = _TYPES.get(name)
        if wanted is None:
            raise InvalidInputError(
                f"{path.name} must use the keys {', '.join((*_TYPES, *_SCENE_KEYS))}, got {name[:60]!r}",
                hint="Remove that line.",
            )
        # bool is an int to Python, not to people.
        if not isinstance(value, wanted) or isinstance(value, bool):
            raise InvalidInputError(f"{name} in {path.name} must be {wanted.__name__}, got {value!r}")
    if "prompt" not in values:
        raise InvalidInputError(f"{path.name} must hold a prompt, got none", hint='Add: prompt = "…"')
    seed = values.get("seed", 0)
    if not 0 <= seed < SEED_LIMIT:
        raise InvalidInputError(f"seed in {path.name} must be from 0 to {SEED_LIMIT - 1}, got {seed}")
    title = values.pop("title", None)
    if set(_SCENE_KEYS) <= set(scene):  # nothing is left for the prompt to say
        from .generation.understanding import understand

        brief = understand(**values, needs_known_word=False)
    else:
        brief = brief_of(**values, environment=environment, store=store)
    if "size" in values:
        brief = replace(brief, size=values["size"])  # the file outweighs a "large" of the prompt
    return BriefFile(_with_scene(brief, scene, f"in {path.name}") if scene else brief, title)


def write_brief(brief: SceneBrief, title: str | None = None) -> str:
    """Return a brief as TOML that `read_brief` turns into an equal one."""
    lines = [
        "# All that the scene is made of. Change what you like, then: immersive create --brief THIS_FILE",
        "# Without a count there are as many as suit the place; 0 rules a thing out.",
        *_comments("understood", brief.understood),
        *_comments("guessed", brief.guessed),
        *_comments("left out", brief.left_out),
        "",
        *([] if title is None else [f"title = {_quoted(title)}"]),
        f"prompt = {_quoted(brief.prompt)}",
        f"seed = {brief.seed}",
        *(f"{name} = {_quoted(getattr(brief, name))}" for name in ("size", "detail", "setting")),
        *(f"{name} = {_quoted(getattr(brief, name))}" for name in ("time", "weather", "season")),
        f"style = {_listed(brief.style)}",
    ]
    if not brief.elements:
        lines.append("elements = []")
    for element in brief.elements:
        lines += ["", "[[elements]]", f"kind = {_quoted(element.kind)}"]
        if element.count is not None:
            lines.append(f"count = {element.count}")
        if element.attributes:
            lines.append(f"attributes = {_listed(element.attributes)}")
        if element.relation is not None:
            kind, target = _quoted(element.relation.kind), _quoted(element.relation.to)
            lines.append(f"relation = {{ kind = {kind}, to = {target} }}")
    return "\n".join(lines) + "\n"


def _with_scene(brief: SceneBrief, scene: dict[str, Any], where: str) -> SceneBrief:
    """Return the brief with what a file says of the scene, every value checked."""
    from .generation.brief_checks import (
        MOST_ELEMENTS,
        check_choice,
        check_element,
        check_elements,
        check_style,
    )
    from .generation.brief_relations import unbuilt_relations
    from .generation.procedural.vocabulary import SETTINGS

    setting = check_choice("setting", scene.get("setting", brief.setting), where)
    changed: dict[str, Any] = {"setting": setting, "is_indoor": SETTINGS[setting].is_indoor}
    for name in ("time", "weather", "season"):
        if name in scene:
            changed[name] = check_choice(name, scene[name], where)
    changed["style"] = check_style(scene.get("style", brief.style), setting, where)
    elements = list(brief.elements)
    if "elements" in scene:
        tables = scene["elements"]
        if not isinstance(tables, list) or len(tables) > MOST_ELEMENTS:
            found = f"{len(tables):,}" if isinstance(tables, list) else repr(tables)[:60]
            raise InvalidInputError(
                f"elements {where} must be at most {MOST_ELEMENTS} [[elements]] tables, got {found}"
            )
        elements = [check_element(table, setting, where) for table in tables]
    elif setting != brief.setting:
        # The prompt's own things must suit the place that the file asks for.
        elements = [
            check_element(_table(element), setting, f"{where} (from its prompt)") for element in elements
        ]
    changed["elements"] = check_elements(elements, where)
    given = tuple(f"{name} -> as the file says" for name in scene)
    if "elements" in scene:
        kept: tuple[str, ...] = ()
        left: tuple[str, ...] = unbuilt_relations(changed["elements"], is_indoor=changed["is_indoor"])
    else:
        kept, left = brief.understood, brief.left_out
    spoken = {"time": "time of day"}
    said = {spoken.get(name, name) for name in scene}
    guessed = tuple(line for line in brief.guessed if line.split(":")[0] not in said)
    if set(_SCENE_KEYS) <= set(scene):
        guessed = ()
    return replace(brief, **changed, understood=(*kept, *given), guessed=guessed, left_out=left)


def _table(element: Element) -> dict[str, Any]:
    relation = element.relation
    return {
        "kind": element.kind,
        "count": element.count,
        "attributes": element.attributes,
        "relation": None if relation is None else {"kind": relation.kind, "to": relation.to},
    }


def _values(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _LARGEST_BYTES:
            raise InvalidInputError(f"a brief must be at most 64 KiB, got {path.stat().st_size:,} bytes")
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise InvalidInputError(f"brief not found: {path}", hint="Check the path.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError, ValueError) as error:
        if isinstance(error, InvalidInputError):
            raise
        raise InvalidInputError(
            f"{path.name} must be TOML in UTF-8, got {error}", hint='It holds lines like: prompt = "a cabin"'
        ) from error


def _comments(name: str, lines: tuple[str, ...]) -> list[str]:
    return [f"# {name}: {' '.join(line.split())}" for line in lines]


def _quoted(text: str) -> str:
    # JSON's escapes are TOML's; control characters never come this far.
    return json.dumps(text, ensure_ascii=False)


def _listed(words: tuple[str, ...]) -> str:
    return f"[{', '.join(map(_quoted, words))}]"
