"""Which words belong together: descriptions and numbers with their thing, negations with their target,
and things with what they stand beside.

English puts most of this in a fixed order, so one pass over the items does; a parser would cost a model.
A relation belongs to the nearest thing before it ("a bench and a boat beside the lake" is about the boat),
unless its sentence begins with it ("behind the hut, a boat").
"""

from __future__ import annotations

from dataclasses import dataclass, field

from immersive.generation.prompt_items import THINGS, Item

_PRONOUNS = frozenset({"it", "them", "which", "itself"})
_DETERMINERS = frozenset({"a", "an", "the", "this", "that", "its", "my", "our", "their", "some", "each"})
_GATHERINGS = (
    *("circle", "row", "group", "cluster", "herd", "flock", "stack", "pile", "heap", "bunch", "collection"),
    *("patch", "market", "caravan", "forest", "grove"),
)
_PARTS = frozenset({"door", "window", "wall", "fireplace"})  # "a cabin with a red door beside a lake"
_JOINING = frozenset({"and", "or", "of", "very", "quite", "so"})  # words that separate nothing


@dataclass(slots=True, eq=False)
class Mention:
    """A thing of the prompt with the words that describe it."""

    item: Item
    described_by: list[Item] = field(default_factory=list)
    number: Item | None = None
    is_one: bool = False  # "a cabin"
    is_known: bool = False  # "the cabin": perhaps mentioned before
    negation: str | None = None
    styled_by: list[Item] = field(default_factory=list)  # moods right before it: "an old oak"
    is_each: bool = False  # "at each table"
    joined_to: Mention | None = None  # the thing before, in "pines and birches"

    @property
    def name(self) -> str:
        assert self.item.concept is not None
        return self.item.concept.name

    @property
    def slot(self) -> str:
        assert self.item.concept is not None
        return self.item.concept.slot


@dataclass(frozen=True, slots=True)
class Link:
    """A relation between two things of the prompt."""

    subject: Mention
    relation: Item
    target: Mention


@dataclass(slots=True)
class Reading:
    """The items of a prompt, grouped."""

    things: list[Mention] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    facts: list[tuple[Item, str | None]] = field(default_factory=list)  # scene facts, negations
    absent: list[tuple[str, str]] = field(default_factory=list)  # negation, unknown word: fulfilled as it is
    frame: Item | None = None  # "photo", of "a photo of a lake"
    left_out: list[str] = field(default_factory=list)
    unknown_count: int = 0  # words that neither tables nor likeness know
    is_inside: bool = False


def group(items: list[Item]) -> Reading:
    """Attach descriptions and numbers to the thing that follows, else to the one before; settle negations."""
    grouping = _Grouping()
    for item in items:
        grouping.take(item)
    return grouping.finish()


class _Grouping:
    """The state of one pass over the items."""

    def __init__(self) -> None:
        self.reading = Reading()
        self._pending: list[Item] = []  # descriptions whose thing has not come
        self._styles: list[Item] = []  # moods since the last word that is no description
        self._is_each = False
        self._number: Item | None = None
        self._is_one = self._is_known = False
        self._negation: str | None = None
        self._is_negation_used = False
        self._last: Mention | None = None
        self._before: Item | None = None
        self._clause: list[Mention] = []  # things since the last full stop
        self._earlier: Mention | None = None  # the last thing before it
        self._is_joined = False  # an "and" stands between the last thing and the next
        self._is_part = False  # the next thing may be a part of the last one
        self._is_head_unknown = False  # the nearest thing is a word that nobody knows
        self._relation: Item | None = None  # one that waits for its target
        self._subject: Mention | None = None
        self._is_after_comma = False  # the relation is
        self._fronted: tuple[Item, Mention] | None = None  # relation and target that wait for a subject
        self._fallback: Link | None = None  # what a fronted relation means if no subject comes

    def take(self, item: Item) -> None:
        """Read one item."""
        slot = item.concept.slot if item.concept is not None else None
        if item.kind == "negation":
            self._drop_pending()
            self._leave_negation()
            self._negation, self._is_negation_used = item.text, False
        elif item.kind == "relation":
            self._take_relation(item)
        elif item.kind in ("stop", "function"):
            self._take_function(item)
        elif item.kind == "frame":
            self.reading.frame = item
        elif item.kind == "number":
            if self._number is not None:
                self.reading.left_out.append(self._number.text)
            self._number = item
            self._end_phrase()
        elif item.kind == "unknown":
            self._take_unknown(item)
        elif slot in THINGS:
            self._take_thing(item)
        elif slot in ("time", "weather", "season", "style"):
            self.reading.facts.append((item, self._negation))
            self._styles.append(item)
            self._is_negation_used = self._negation is not None
        else:
            self._pending.append(item)
        if slot not in ("style", "colour", "extent", "material"):
            self._styles = []
        self._before = item

    def finish(self) -> Reading:
        """Settle what waits and return everything."""
        self._drop_pending()
        self._settle_fallback()
        self._leave_negation()
        return self.reading

    # One kind of item each.

    def _take_function(self, item: Item) -> None:
        word = item.text.casefold()
        is_stop = item.kind == "stop"
        if is_stop or (self._is_negation_used and word not in ("or", "nor", "and")):
            self._leave_negation()
        if is_stop and word != ",":
            self._drop_pending()
            self._settle_fallback()
            self._earlier = self._last or self._earlier
            self._last, self._relation, self._fronted, self._is_head_unknown = None, None, None, False
            self._clause = []
        elif word == ",":
            if not self._pending:
                self._relation = None
            self._is_head_unknown = False
        elif word in _PRONOUNS and self._relation is not None:
            self._take_pronoun(self._relation)
        elif word not in _JOINING:
            self._drop_pending()
        if word in _DETERMINERS:
            self._is_one, self._is_known = word in ("a", "an"), word == "the"
            self._end_phrase()
        if word in _GATHERINGS:
            self._is_one = False  # "a herd of sheep"
        if word in ("each", "every"):
            self._is_each = True
        if word == "and":
            self._is_joined = self._last is not None and self._relation is None
            self._is_head_unknown = False
        elif word == "with":
            self._is_joined, self._is_head_unknown, self._relation = False, False, None
            self._is_part = self._last is not None and self._last.slot == "element"

    def _take_relation(self, item: Item) -> None:
        assert item.relation is not None
        self._drop_pending()
        if self._is_negation_used:
            self._leave_negation()
        self._settle_fallback()
        self._is_after_comma = self._before is not None and self._before.text == ","
        self._relation, self._subject = item, self._clause[-1] if self._clause else None
        if item.relation.kind == "inside" and not item.relation.is_weak and self._subject is None:
            self.reading.is_inside = True
        if self._is_head_unknown:
            self._relation = None  # it belongs to a word that nobody knows
        self._is_joined = False

    def _take_pronoun(self, relation: Item) -> None:
        """Settle "beside it": the thing before is meant, or what the sentence before was about."""
        self._relation = None
        subject = self._subject
        if subject is None:
            if self._earlier is not None:
                self._fronted = (relation, self._earlier)
            return
        nearby = [mention for mention in self._clause if mention.slot == "element" or mention is subject]
        index = nearby.index(subject)
        link = Link(subject, relation, nearby[index - 1]) if index > 0 else None
        if link is not None and not self._is_after_comma:
            self._link(link)
        else:
            # "A lake, beside it a cabin": what comes next is the subject, if anything comes.
            self._fronted, self._fallback = (relation, subject), link

    def _take_unknown(self, item: Item) -> None:
        if self._negation is not None:
            self.reading.absent.append((self._negation, item.text))
            self._is_negation_used = True
            return
        self.reading.left_out.append(item.text)
        self.reading.unknown_count += 1
        self._is_head_unknown = True
        self._is_joined = False

    def _take_thing(self, item: Item) -> None:
        word = item.text.casefold()
        negation = "" if item.is_absent else self._negation
        mention = Mention(
            item,
            list(self._pending),
            self._number,
            self._is_one
            and not (word.endswith("s") or word.split()[-1] in _GATHERINGS),  # "a stone circle" is many
            self._is_known,
            negation,
            self._styles,
            self._is_each,
            self._last if self._is_joined else None,
        )
        self._is_each = False
        is_compound = self._last is not None and self._before is self._last.item
        self.reading.things.append(mention)
        self._pending.clear()
        self._number, self._is_one, self._is_known = None, False, False
        self._is_joined = self._is_head_unknown = False
        self._is_negation_used = self._negation is not None
        if is_compound:
            self._replace_target(mention)
            if mention.slot in ("setting", "room") and self._last is not None:
                # "A pumpkin field" has many pumpkins.
                mention.is_one, self._last.is_one = mention.is_one or self._last.is_one, False
        if negation is None:
            self._relate(mention)
            if not (self._is_part and mention.name in _PARTS):
                self._clause.append(mention)
            self._last = mention
            self._is_part = False
        elif not item.is_absent:
            self._last = mention

    # What they share.

    def _end_phrase(self) -> None:
        """Forget a relation whose target was no thing: "beside the dragon a …", "at night a …"."""
        before = self._before
        if before is not None and (before.kind == "unknown" or before.concept is not None):
            self._relation = None

    def _relate(self, mention: Mention) -> None:
        if self._fronted is not None:
            relation, target = self._fronted
            self._fronted = self._fallback = None
            self._link(Link(mention, relation, target))
        if self._relation is None:
            return
        relation, self._relation = self._relation, None
        if self._subject is None:
            self._fronted = (relation, mention)
        else:
            self._link(Link(self._subject, relation, mention))

    def _link(self, link: Link) -> None:
        assert link.relation.relation is not None
        if link.relation.relation.is_reversed:
            link = Link(link.target, link.relation, link.subject)
        self.reading.links.append(link)

    def _replace_target(self, head: Mention) -> None:
        """Let the last noun of "mountain lake" be what a thing stands beside."""
        for index, link in enumerate(self.reading.links):
            if link.target is self._last:
                self.reading.links[index] = Link(link.subject, link.relation, head)
            elif link.subject is self._last:
                self.reading.links[index] = Link(head, link.relation, link.target)
        if self._fronted is not None and self._fronted[1] is self._last:
            self._fronted = (self._fronted[0], head)

    def _settle_fallback(self) -> None:
        if self._fallback is not None:
            self._link(self._fallback)
        self._fallback = self._fronted = None

    def _drop_pending(self) -> None:
        for item in self._pending:
            if self._last is not None and self._last.negation is None:
                self._last.described_by.append(item)
            else:
                self.reading.left_out.append(item.text)
        self._pending.clear()
        if self._number is not None:
            self.reading.left_out.append(self._number.text)
        self._number = None

    def _leave_negation(self) -> None:
        """Forget a negation; one that met nothing is listed."""
        if self._negation is not None and not self._is_negation_used:
            self.reading.left_out.append(self._negation)
        self._negation = None
