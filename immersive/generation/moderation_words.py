"""A short list of requests that nobody should serve, and nothing that a museum or a crime novel needs.

Whole words only, and nearly always two of them near each other: "naked rock" and "a kids' playground" are
places, and a list that refuses them would be switched off. What needs judgement needs `http` moderation.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

# Within so many words of each other two parts of a rule belong together.
_NEAR = 7
_SPACES = re.compile(r"[^a-z0-9]+")
# Letters that stand in for others, as people write to slip past a list.
_STANDS_FOR = str.maketrans({"0": "o", "1": "i", "3": "e", "4": "a", "5": "s", "7": "t", "@": "a", "$": "s"})


@dataclass(frozen=True, slots=True)
class _Rule:
    what: str  # follows "it asks for"
    parts: tuple[str, ...]  # alternatives of words; all parts must occur
    near: int = _NEAR


_MINOR = (
    "child|children|childs|kid|kids|minor|minors|toddler|toddlers|infant|infants|baby|babies|preteen|preteens"
    "|teen|teens|teenager|teenagers|teenage|underage|underaged|schoolgirl|schoolgirls|schoolboy|schoolboys"
    "|little girl|little girls|little boy|little boys|young girl|young girls|young boy|young boys"
    "|year old|years old|loli|lolis|shota"
)
_SEXUAL = (
    "sex|sexual|sexually|sexualized|sexualised|sexy|porn|porno|pornography|pornographic|erotic|erotica|nsfw"
    "|lewd|hentai|orgy|masturbating|masturbation|incest|fetish|striptease|topless"
)
_BARE = "nude|nudes|naked|undressed|undressing|unclothed"
_HOW = (
    "how to|instructions|instruction|step by step|recipe|recipes|tutorial|blueprint|blueprints|diy"
    "|guide to|guide for|synthesis of|synthesize|synthesise"
)
_WEAPON = (
    "pipe bomb|pipe bombs|nail bomb|dirty bomb|car bomb|suicide vest|bomb vest|molotov|molotovs|nerve gas"
    "|nerve agent|nerve agents|sarin|novichok|mustard gas|ricin|anthrax|bioweapon|bioweapons|napalm|thermite"
    "|explosive device|explosive devices|ied|ieds|chemical weapon|chemical weapons"
)
_PRAISE = (
    "glorify|glorifying|glorifies|glorification|celebrate|celebrating|celebrates|praise|praising|in praise of"
    "|recruit|recruiting|recruitment|propaganda for|in honor of|in honour of"
)
_ATROCITY = (
    "genocide|holocaust|ethnic cleansing|mass shooting|mass shootings|school shooting|school shootings"
    "|terrorist|terrorists|terrorism|terror attack|isis|al qaeda|nazi|nazis|nazism|hitler|white supremacy"
    "|ku klux klan|lynching|lynchings"
)
_CRUELTY = (
    "beheading|beheadings|beheaded|decapitating|decapitation|dismembering|dismembered|dismemberment"
    "|disembowel|disemboweled|disembowelled|disembowelment|mutilated|mutilation|flayed alive|eviscerated"
)
_FLESH = "body|bodies|corpse|corpses|person|people|man|men|woman|women|victim|victims|child|children|graphic"

_RULES = (
    _Rule("sexual content that involves minors", (_MINOR, _SEXUAL), near=12),
    _Rule("sexual content that involves minors", (_MINOR, _BARE), near=3),
    _Rule("sexual content that involves minors", ("child porn|child pornography|csam|pedo porn|jailbait",)),
    _Rule("sexual violence", (_SEXUAL, "rape|raped|raping|non consensual|nonconsensual|forced"), near=12),
    _Rule("sexual violence", ("rape scene|rape fantasy|gang rape|revenge porn|upskirt",)),
    _Rule("sexual pictures of real people", ("deepfake|deepfakes|nudify|undress", _SEXUAL + "|" + _BARE)),
    _Rule("extreme cruelty shown in detail", (_CRUELTY, _FLESH)),
    _Rule("extreme cruelty shown in detail", ("snuff film|snuff films|snuff video|torture porn|gore porn",)),
    _Rule("instructions for weapons that kill many", (_HOW, _WEAPON)),
    _Rule("praise of mass violence", (_PRAISE, _ATROCITY), near=2),
    _Rule(
        "instructions for self-harm",
        (
            _HOW + "|ways to|methods of|method for",
            "kill myself|kill yourself|hang myself|hang yourself|cut myself|cut yourself|commit suicide"
            "|committing suicide|suicide|self harm",
        ),
    ),
)


def refused_for(text: str) -> str | None:
    """Return what a text asks for that is refused, as ends the sentence "it asks for …", or None."""
    words = _words(text)
    plain = [_places(words, rule) for rule in _RULES]
    for rule, parts in zip(_RULES, plain, strict=True):
        if all(parts) and _are_near(parts, rule.near):
            return rule.what
    return None


def _words(text: str) -> str:
    """Return the words of a text in plain letters, each with a space before and behind."""
    flat = unicodedata.normalize("NFKD", text).casefold()
    flat = "".join(letter for letter in flat if not unicodedata.combining(letter) and letter.isprintable())
    words = []
    for word in re.split(r"[^a-z0-9@$]+", flat):
        # "p0rn", but not "18 year old"
        is_mixed = any(c.isalpha() for c in word) and not word.isalpha()
        words.append(word.translate(_STANDS_FOR) if is_mixed else word)
    return f" {_SPACES.sub(' ', ' '.join(words)).strip()} "


def _places(words: str, rule: _Rule) -> list[list[int]]:
    """Return for each part of a rule at which words of the text it occurs."""
    return [
        [words.count(" ", 0, match.start() + 1) for match in re.finditer(rf"(?<= )(?:{part})(?= )", words)]
        for part in rule.parts
    ]


def _are_near(parts: list[list[int]], near: int) -> bool:
    first, *others = parts
    return any(all(any(abs(at - place) <= near for place in part) for part in others) for at in first)
