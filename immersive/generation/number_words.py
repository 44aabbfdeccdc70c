"""Numbers that take several words: "two dozen", "twenty-five", "two or three", "half a dozen"."""

from __future__ import annotations

from dataclasses import replace

from immersive.generation.prompt_items import Item

_ALONE = frozenset({"single", "lone", "solitary", "lonely"})  # beside a number, these only describe
_MULTIPLIERS = frozenset({12, 100, 1_000})


def with_numbers(items: list[Item]) -> list[Item]:
    """Join neighbouring number words to one item each; of a range the larger end is taken and it is vague."""
    result: list[Item] = []
    for item in items:
        if item.kind != "number":
            result.append(item)
            continue
        halved = _half_before(result, item)
        if halved:
            text = " ".join([*(part.text for part in result[-halved:]), item.text])
            del result[-halved:]
            result.append(Item("number", text, number=item.number // 2))
            continue
        link = result[-1].text.casefold() if result else ""
        if len(result) > 1 and link in ("or", "to") and result[-2].kind == "number":
            text = f"{result[-2].text} {link} {item.text}"
            del result[-2:]
            result.append(Item("number", text, number=item.number, is_vague=True))
        elif result and result[-1].kind == "number" and item.text.casefold() in _ALONE:
            first = result.pop()
            result.append(replace(first, text=f"{first.text} {item.text}"))
        elif result and result[-1].kind == "number" and (sum_ := _joined(result[-1].number, item.number)):
            first = result.pop()
            result.append(Item("number", f"{first.text} {item.text}", number=sum_))
        else:
            result.append(item)
    return result


def _half_before(result: list[Item], item: Item) -> int:
    """Return how many items before a dozen say that it is half of one."""
    words = [part.text.casefold() for part in result[-2:]]
    if item.number not in _MULTIPLIERS:
        return 0
    return 1 if words[-1:] == ["half"] else 2 if words == ["half", "a"] else 0


def _joined(first: int, second: int) -> int:
    """Return the number that two neighbours make, or 0; "2-3" is a range as "2 or 3" is."""
    if second in _MULTIPLIERS and first < second:
        return first * second
    if 20 <= first < 100 and first % 10 == 0 and second < 10:
        return first + second
    return second if first < second < 100 else 0
