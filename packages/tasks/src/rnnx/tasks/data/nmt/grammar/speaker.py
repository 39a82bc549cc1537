"""Who thinks of something to say."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import final

from rnnx.tasks.data.nmt.grammar.lexicon import (
    ADJECTIVES,
    BARE,
    DEFINITE,
    DETERMINERS,
    FIXED,
    INDEFINITE,
    INSIDE,
    KIND,
    LIVING,
    LOOSE,
    NOUNS,
    PEOPLE,
    THEMES,
    TIMELESS,
    TIMES,
    TWO,
    UNCOUNTABLE,
    VERBS,
    Determiner,
    Tense,
    Verb,
    done_by,
    suiting,
)
from rnnx.tasks.data.nmt.grammar.phrases import (
    NOBODY,
    SUBJECTS,
    UNSAID,
    Phrase,
    Said,
    action,
    adjunct,
    both,
    clause,
    clitics,
    noun_phrase,
    quality,
    relative,
    sentence,
    state,
)


@final
class Speaker:
    """Thinks of something to say that makes some sense: cats do not read, and nobody eats a door.

    Args:
        rng: Where the chance comes from.
    """

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng

    def chance(self, probability: float) -> bool:
        """True with that probability."""
        return self.rng.random() < probability

    def sentence(self) -> Said:
        """One clause or two, all of them about what somebody is or all about what somebody does."""
        tense: Tense = self.rng.choice(("present", "present", "past", "future", "progressive"))
        is_state = tense == "present" and self.chance(0.5)
        first, *rest = subjects = self.subjects(THEMES if is_state else LIVING, 2 if self.chance(0.15) else 1)
        if is_state:
            return sentence(*(clause(subject, self.state(subject)) for subject in subjects))
        if tense in ("present", "past") and not rest and self.chance(0.15):
            clauses = [clause(first, *self.two_actions(first, tense))]
        else:
            clauses = [clause(subject, self.action(subject, tense)) for subject in subjects]
        timed = any(part.ambiguous for part in clauses) or self.chance(0.2)
        return sentence(*clauses, time=self.rng.choice(TIMES[tense]) if timed else TIMELESS)

    def subjects(self, kinds: Iterable[str], count: int) -> list[Phrase]:
        """So many different subjects."""
        found: list[Phrase] = []
        while len(found) < count:
            subject = self.subject(kinds)
            if all(other.english != subject.english for other in found):
                found.append(subject)
        return found

    def subject(self, kinds: Iterable[str]) -> Phrase:
        """A pronoun, two people, or a noun of one of the kinds, perhaps with a relative clause."""
        chance = self.rng.random()
        if chance < 0.45:
            return self.rng.choice(SUBJECTS)
        if chance < 0.55:
            first = self.noun_phrase(PEOPLE)
            return both(first, self.noun_phrase(PEOPLE, first))
        return self.noun_phrase(kinds, relative=0.45)

    def noun_phrase(
        self,
        kinds: Iterable[str],
        avoid: Phrase = NOBODY,
        *,
        relative: float = 0.0,
        bare: bool = False,
        counted: bool = True,
    ) -> Phrase:
        """A noun with its determiner, and sometimes an adjective.

        Args:
            kinds: The kinds of noun to choose from.
            avoid: What is spoken of already.
            relative: The probability of a relative clause, where one fits.
            bare: Whether it may stand without a determiner: *compro manzanas*.
            counted: Whether it may be *some* or *two* of them, which is odd in a negation.
        """
        noun = self.rng.choice([noun for kind in kinds for noun in NOUNS[kind] if noun not in avoid.nouns])
        kind = KIND[noun]
        determiner = self.determiner(kind, bare)
        plural = kind not in UNCOUNTABLE + INSIDE and (determiner in (TWO, BARE) or self.chance(0.35))
        if plural and not counted and determiner in (INDEFINITE, TWO):
            determiner = DEFINITE
        fitting = suiting(frozenset({kind}))
        adjective = self.rng.choice(fitting) if fitting and self.chance(0.35) else None
        phrase = noun_phrase(determiner, noun, plural, adjective)
        if determiner in (DEFINITE, INDEFINITE) and kind not in FIXED + UNCOUNTABLE and self.chance(relative):
            return self.with_relative(phrase)
        return phrase

    def determiner(self, kind: str, bare: bool) -> Determiner:
        """One that suits the kind."""
        if bare and kind in LOOSE and self.chance(0.3):
            return BARE
        return self.rng.choice(DETERMINERS[kind])

    def with_relative(self, head: Phrase) -> Phrase:
        """*que está en la mesa*, *que come pan*, *que compramos ayer*."""
        if self.chance(0.2):
            return relative(head, state(head, "estar", self.place(head)))
        tense: Tense = self.rng.choice(("present", "past", "progressive"))
        if head.kinds <= set(LIVING):
            return relative(head, self.action(head, tense, simple=True))
        subject = self.rng.choice(UNSAID)
        verb = self.rng.choice([verb for verb in VERBS if head.kinds & set(verb.objects.split())])
        if not verb.progressive and tense == "progressive":
            tense = "present"
        said = action(subject, verb, tense, Phrase("", "", nouns=head.nouns))
        timed = said.ambiguous or self.chance(0.2)
        return relative(head, said, subject, self.rng.choice(TIMES[tense]) if timed else TIMELESS)

    def verbs(self, subject: Phrase, tense: Tense) -> list[Verb]:
        """What the subject can do."""
        return [verb for verb in done_by(subject.kinds) if verb.progressive or tense != "progressive"]

    def two_actions(self, subject: Phrase, tense: Tense) -> list[Said]:
        """*lee un libro y bebe leche*."""
        verbs = self.rng.sample(self.verbs(subject, tense), 2)
        return [action(subject, verb, tense, self.target(subject, verb)) for verb in verbs]

    def action(self, subject: Phrase, tense: Tense, simple: bool = False) -> Said:
        """What the subject does; if simple, without more relative clauses and without a place."""
        verb = self.rng.choice(self.verbs(subject, tense))
        negative = self.chance(0.2)
        target = self.target(subject, verb, 0.0 if simple else 0.3, negative)
        where = None if simple else self.circumstance(subject, verb, target)
        return action(subject, verb, tense, target, where, negative)

    def target(
        self, subject: Phrase, verb: Verb, relative: float = 0.0, negative: bool = False
    ) -> Phrase | None:
        """A pronoun or a noun that the verb is done to, if it is done to anything."""
        if not verb.objects:
            return None
        if self.chance(0.3):
            return self.rng.choice(clitics(verb, subject.agreement.person))
        kinds = verb.objects.split()
        return self.noun_phrase(
            kinds, subject, relative=relative, bare=verb.progressive, counted=not negative
        )

    def circumstance(self, subject: Phrase, verb: Verb, target: Phrase | None) -> Said | None:
        """Where or with whom; a door is opened where it is, and people are greeted alone."""
        kinds = target.kinds if target and target.nouns else set(verb.objects.split())
        if kinds.intersection(FIXED) or not self.chance(0.35 if target else 0.6):
            return None
        if verb.company and kinds.isdisjoint(LIVING) and self.chance(0.4):
            return adjunct(("con", "with"), self.noun_phrase(PEOPLE, subject))
        return self.place(subject)

    def place(self, subject: Phrase) -> Said:
        """*en el parque*, *cerca de la casa*; what does not live is on tables, too."""
        inside = INSIDE if subject.kinds & set(LIVING) or self.chance(0.5) else ("furniture",)
        phrase = self.noun_phrase(inside)
        prepositions = [("en", phrase.nouns[0].at)] * 3
        prepositions += [("cerca de", "near")] if inside == INSIDE else []
        prepositions += [("detrás de", "behind")] if phrase.kinds == {"building"} else []
        return adjunct(self.rng.choice(prepositions), phrase)

    def state(self, subject: Phrase) -> Said:
        """Where the subject is, or what it is like beyond what its own adjective says."""
        negative = self.chance(0.2)
        own = {adjective for adjective, _ in subject.combinations}
        scales = {adjective.scale for adjective in ADJECTIVES if adjective.spanish in own}
        fitting = [adjective for adjective in suiting(subject.kinds) if adjective.scale not in scales]
        if not fitting or (subject.kinds.isdisjoint(FIXED) and self.chance(0.35)):
            return state(subject, "estar", self.place(subject), negative)
        first = self.rng.choice(fitting)
        others = [other for other in fitting if other.be == first.be and other.scale != first.scale]
        if others and not negative and self.chance(0.3):
            return state(subject, first.be, quality(subject, first, self.rng.choice(others)))
        return state(subject, first.be, quality(subject, first), negative)
