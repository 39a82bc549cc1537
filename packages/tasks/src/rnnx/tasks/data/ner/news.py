"""A small grammar of short news about people, places and organisations: what ``ner.toy`` is made of.

The file reads from top to bottom: the rules, the syllables that names are made of, the `Reporter` that
expands rules, and :func:`news`, which makes the three splits.

Names are invented, and those of one split are in no other, so that no list of names helps. One invented word
may name a person here, a place there and a firm elsewhere; what tells is the words before it (*in*, *sister
of*, *shares in*), the endings that some names have (*-burg*, *-sen*), and the words that are a part of the
name (*University of Kalo* is no place, *Mirasen Street* no person). In a list the word that tells is far away
(*the sponsors, a friend of Tifi said, were Kalo, Lebi and Savo*), and other names stand between. Words in
capitals that name nothing (*Monday*) and nouns that are part of names elsewhere (*the bank*) are about.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Final, NamedTuple, final

from rnnx.core.data import Split
from rnnx.tasks.data.ner.sentence import Sentence
from rnnx.tasks.parts.texts.tags import Entity

# What stands in braces is expanded: by a rule, or into a name. Types are those of CoNLL-2003.
ENTITIES: Final = {
    "PER": "PER", "MAN": "PER", "GUEST": "PER",
    "LOC": "LOC", "SITE": "LOC", "STOP": "LOC",
    "ORG": "ORG", "HOUSE": "ORG", "BIDDER": "ORG",
}  # fmt: skip
RULES: Final = {
    "sentence": (
        "{scene} .", "{scene} .", "{scene} , {source} .", "{source} that {scene} .", "{when} {scene} .",
        "{when} {source} that {scene} .",
    ),
    "scene": (
        "{who} {travelled} to {LOC} {why}", "{who} met {who} in {LOC}", "{who} {was} born in {LOC}",
        "{who} and {who} met in {LOC}", "talks between {HOUSE} and {HOUSE} ended on Monday",
        "{who} lives on {SITE} in {LOC}", "the {work} of {LOC} , {MAN} , {resigned}",
        "{who} , {age} , {joined} {HOUSE}", "shares in {HOUSE} {fell} {much}", "{ORG} {bought} {ORG} {price}",
        "the bank {fell} after talks with {HOUSE}", "rain closed the road from {LOC} to {LOC}",
        "the team lost to {HOUSE} in {LOC}", "a court in {LOC} fined {HOUSE} {price}",
        "the street near {SITE} was closed", "{who} left {ORG} for {ORG}", "students at {ORG} welcomed {who}",
        "a union of workers at {HOUSE} met", "nobody at the university knew {MAN}",
        "{ORG} , based in {LOC} , {bought} {HOUSE}", "the port of {LOC} reopened",
        "the foundation gave the prize to {MAN} of {LOC}",
        "the {guests} {aside} were {GUEST} , {GUEST} and {GUEST}",
        "the {stops} {aside} were {STOP} , {STOP} and {STOP}",
        "the {bidders} {aside} were {BIDDER} , {BIDDER} and {BIDDER}",
    ),
    "guests": ("guests", "winners", "speakers"),
    "stops": ("stops", "ports", "regions"),
    "bidders": ("bidders", "sponsors", "lenders"),
    "aside": ("", "", ", {source} ,", ", nobody at {HOUSE} knew why ,", "from {LOC} to {LOC}"),
    "source": (
        "{who} said", "{ORG} announced", "{who} told a newspaper in {LOC}", "a spokesman for {HOUSE} said",
    ),
    "when": ("On Monday", "On Friday", "In May", "In September", "Yesterday", "Last Sunday"),
    "who": (
        "{PER}", "{PER}", "{title} {MAN}", "{kin} {MAN}", "the {work} of {LOC}", "the head of {HOUSE}",
    ),
    "title": ("Mr", "Mrs", "Dr", "President", "Judge"),
    "kin": ("a sister of", "the son of", "a friend of", "a lawyer named"),
    "work": ("mayor", "bishop", "governor", "mayor"),
    "travelled": ("travelled", "flew", "returned"),
    "why": ("on Tuesday", "for talks", "with {who}", "to meet {who}", "after {days} days in {LOC}"),
    "was": ("was", "had been"),
    "resigned": ("resigned", "opened the bank", "met {who}", "has died"),
    "joined": ("joined", "works for", "was dismissed by", "sued"),
    "age": ("{days}", "aged {days}"),
    "fell": ("fell", "rose", "lost"),
    "much": ("by {days} percent", "on Thursday", "again"),
    "bought": ("bought", "sued", "will buy", "is in talks with"),
    "price": ("for {days} million", "in March", "at last"),
    "days": ("3", "12", "27", "45", "61"),
    "PER": ("{given} {surname}", "{given} {surname}", "{given} {initial} {surname}"),  # anywhere
    "MAN": ("{root}", "{surname}", "{given} {surname}", "{given} {root}"),  # where the words before it tell
    "LOC": ("{root}", "{town}", "{root}", "Port {root}", "{town} Valley"),
    "SITE": ("{surname} Street", "{root} Street", "{root} Bridge", "{town} Square"),
    "ORG": (
        "University of {root}", "{root} United", "{surname} Foundation", "{town} Bank", "{root} {firm}",
        "Bank of {root}", "{letters}",
    ),
    "HOUSE": ("{root}", "{ORG}", "{root} {firm}", "{surname} and Sons"),
    "GUEST": ("{root}",),  # where a word far before it tells
    "STOP": ("{root}",),
    "BIDDER": ("{root}",),
    "firm": ("Corp", "Group", "Union", "Airways"),
    "initial": ("A.", "J.", "M.", "R."),
}  # fmt: skip

CONSONANTS, VOWELS = "bdfgklmnprstvz", "aeiou"
ENDINGS: Final = {
    "given": ("lia", "bert", "nne"),
    "surname": ("sen", "ovich", "escu"),
    "town": ("burg", "mouth", "stadt"),
}
NAMES: Final = ("root", "letters", *ENDINGS)
STEMS: Final[dict[Split, int]] = {"train": 1000, "valid": 200, "test": 200}
LONG: Final = 0.3  # the share of stems with a third syllable


@final
class Token(NamedTuple):
    """A word, and the type and the number of the entity that it is in; outside, no type and -1."""

    word: str
    type: str = ""
    entity: int = -1


@final
class Reporter:
    """Says sentences with names made from some stems.

    Args:
        rng: Where chance comes from.
        stems: What names are made from; no two have their first four letters in common.
    """

    def __init__(self, rng: random.Random, stems: list[str]) -> None:
        self.rng, self.stems, self.entities = rng, stems, 0

    def sentence(self) -> Sentence:
        """Says one."""
        tokens = list(self.expand("sentence", Token("")))
        words = [token.word for token in tokens]
        words[0] = words[0][0].upper() + words[0][1:]
        spans: dict[int, Entity] = {}
        for place, token in enumerate(tokens):
            if token.type:
                start = spans[token.entity].start if token.entity in spans else place
                spans[token.entity] = Entity(start, place + 1, token.type)
        return Sentence(words, list(spans.values()))

    def expand(self, symbol: str, around: Token) -> Iterator[Token]:
        """The words of a symbol, in the entity around it if there is one."""
        if symbol in NAMES:
            yield around._replace(word=self.name(symbol))
            return
        if symbol in ENTITIES and not around.type:
            self.entities += 1
            around = Token("", ENTITIES[symbol], self.entities)
        for word in self.rng.choice(RULES[symbol]).split():
            if word.startswith("{"):
                yield from self.expand(word[1:-1], around)
            else:
                yield around._replace(word=word)

    def name(self, kind: str) -> str:
        """An invented word."""
        stem = self.rng.choice(self.stems)
        if kind == "letters":
            return stem[:4].upper()
        return (stem + self.rng.choice(ENDINGS.get(kind, ("",)))).capitalize()


def news(train: int, valid: int, test: int, seed: int) -> dict[Split, list[Sentence]]:
    """Makes the three splits.

    Args:
        train: Sentences to train on.
        valid: Sentences to validate on.
        test: Sentences to test on.
        seed: What they depend on, beside their number.

    Example:
        >>> sentence = news(train=1, valid=0, test=0, seed=2)["train"][0]
        >>> " ".join(sentence.words), sentence.entities
        ('The port of Lopastadt Valley reopened .', [Entity(start=3, stop=5, type='LOC')])
    """
    rng = random.Random(seed)
    syllables = [consonant + vowel for consonant in CONSONANTS for vowel in VOWELS]
    stems = [one + other for one in syllables for other in syllables]
    rng.shuffle(stems)
    counts: dict[Split, int] = {"train": train, "valid": valid, "test": test}
    splits: dict[Split, list[Sentence]] = {}
    for split, count in counts.items():
        own, stems = stems[: STEMS[split]], stems[STEMS[split] :]
        longer = [stem + rng.choice(syllables) if rng.random() < LONG else stem for stem in own]
        reporter = Reporter(rng, longer)
        splits[split] = [reporter.sentence() for _ in range(count)]
    return splits
