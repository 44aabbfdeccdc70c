"""A paragraph or several prompts become places that belong together."""

from __future__ import annotations

import pytest

from immersive.generation.storyboard import plan_story
from reconstruction.errors import InvalidInputError

STORY = (
    "A misty pine forest at dusk with a red wooden cabin. A narrow path leads on between the trees. "
    "Inside is a living room with a blue sofa and a fireplace. "
    "Beyond the door lies a snowy mountain with a cabin at night."
)


def test_a_paragraph_is_cut_where_it_names_another_place() -> None:
    story = plan_story(STORY, seed=5)

    assert [brief.is_indoor for brief in story.briefs] == [False, True, False]
    assert [brief.setting for brief in story.briefs] == ["forest", "living_room", "mountain"]
    assert "path" in {element.kind for element in story.briefs[0].elements}  # the second sentence is of it
    assert story.title == "A misty pine forest at dusk with a red wooden cabin"
    assert len({brief.seed for brief in story.briefs}) == 3 and story.briefs[0].seed == 5


def test_light_and_looks_hold_on_until_something_else_is_said() -> None:
    _, inside, summit = plan_story(STORY).briefs

    assert inside.time == "dusk" and "time of day: dusk, as before" in inside.guessed
    assert summit.time == "night" and summit.weather == "snow"
    cabin = next(element for element in summit.elements if element.kind == "cabin")
    assert set(cabin.attributes) >= {"red", "wooden"}


def test_a_thing_that_is_described_anew_looks_anew() -> None:
    first, second = plan_story(["a meadow with a red tent", "a forest with a blue tent"]).briefs

    looks = [
        next(element.attributes for element in brief.elements if element.kind == "tent")
        for brief in (first, second)
    ]
    assert looks == [("red",), ("blue",)]


def test_several_prompts_are_as_many_places_even_of_one_kind() -> None:
    story = plan_story(["a forest", "a forest with a lake", "a forest at night"], title="Three woods")

    assert len(story.briefs) == 3 and story.title == "Three woods"


@pytest.mark.parametrize(
    "text", ["a forest at dusk", "A forest. The forest is dark.", ["a forest"], 9 * ["a meadow"]]
)
def test_a_story_of_one_place_or_of_very_many_is_told(text) -> None:
    with pytest.raises(InvalidInputError, match="a story must have 2 to 8 places"):
        plan_story(text)


def test_a_place_that_cannot_be_read_is_told() -> None:
    with pytest.raises(InvalidInputError, match="prompt must hold at least one word"):
        plan_story(["a forest", " ... "])
