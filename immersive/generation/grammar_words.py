"""Words that carry grammar, position, number or nothing that can be drawn.

Closed on purpose: a word of a prompt is only ever skipped because it stands here.
"""

from __future__ import annotations

_FUNCTION_WORDS = (
    "a about above across after against air all along alongside also amid amidst among amongst an and "
    "another any are around arranged as at atop back background bank banks be beautiful been before "
    "behind being below beneath beside besides between beyond bordered both bottom build built bunch but "
    "by can cast center centre circle circled close cluster clusters collection come comes coming corner "
    "could cover covered create cross crossing distance do does down draw each edge encircled encircling "
    "end environment every face faces facing far few fill filled flanked floating flock flow flowing "
    "flows foot foreground framed fringed from front full gathered generate give go goes going ground "
    "group groups had hang hanging hangs has have having he heap her herd here his horizon i image "
    "imagine in inside into is it its itself just kind landscape lay lead leading leads leaning left lie "
    "lies like line lined lining lit look looking looks lot lots lovely lying made make many may middle "
    "might mood more most much must my near nearby next nice of off on onto opposite or other our out "
    "outside over overlook overlooking overlooks own painted pair pass passing pile place placed please "
    "plenty plus pretty quite rather really render rest resting rests right ringed ringing rise rises "
    "rising row rows run running runs same scene see seen set setting several she should show side sit "
    "sits sitting sky so some sort spanning stack stand standing stands stood style such surround "
    "surrounded surrounding surrounds than that the their them themselves then there these they this "
    "those through throughout tied to too top topped toward towards type under underneath up upon very "
    "view views want was we were when where which while who whose will wind winding with within world "
    "would you your"
)
FUNCTION_WORDS = frozenset(_FUNCTION_WORDS.split())

NEGATIONS = frozenset(
    ["no", "without", "not", "never", "neither", "nor", "minus", "lacking", "excluding", "except"]
)

NUMBERS = {
    word: value
    for value, words in {
        1: "one single lone solitary lonely",
        2: "two twin double couple pair",
        3: "three triple trio few",
        4: "four handful",
        5: "five several",
        6: "six",
        7: "seven",
        8: "eight",
        9: "nine",
        10: "ten",
        11: "eleven",
        12: "twelve dozen",
        13: "thirteen",
        14: "fourteen",
        15: "fifteen",
        16: "sixteen",
        17: "seventeen",
        18: "eighteen",
        19: "nineteen",
        20: "twenty",
        30: "thirty dozens",
        40: "forty",
        50: "fifty",
        60: "sixty",
        70: "seventy",
        80: "eighty",
        90: "ninety",
        100: "hundred",
        300: "hundreds",
        1_000: "thousand",
        3_000: "thousands",
    }.items()
    for word in words.split()
}

# Numbers that leave the number open; a brief says what was taken.
VAGUE_NUMBERS = frozenset(["couple", "few", "several", "handful", "dozens", "hundreds", "thousands"])
