"""The rules: each a function that says a part of a sentence in both languages."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, TypeAlias, final

from rnnx.tasks.data.nmt.grammar.forms import (
    BE,
    HE,
    IT,
    THEY,
    WE,
    YOU,
    Agreement,
    I,
    agree,
    english_plural,
    english_verb,
    forms,
    same_in_past,
    sound_english,
    sound_spanish,
    spanish_plural,
    spanish_verb,
    words,
)
from rnnx.tasks.data.nmt.grammar.lexicon import (
    INDEFINITE,
    KIND,
    PEOPLE,
    TIMELESS,
    TWO,
    UNCOUNTABLE,
    Adjective,
    Determiner,
    Noun,
    Pair,
    Tense,
    Verb,
)

Combination: TypeAlias = tuple[str, str]  # an adjective or a verb, and the noun it goes with; in Spanish


@final
@dataclass(frozen=True)
class Phrase:
    """A subject or an object, said in both languages.

    Args:
        spanish: The Spanish words; none if the verb makes them plain.
        english: The English words.
        agreement: What a verb and an adjective agree with; that of *he* if not said.
        nouns: The nouns that name it; none in a pronoun.
        combinations: The combinations of words within it.
        marker: *a*, if Spanish puts it before such an object.
        clitic: What stands before the Spanish verb if this is its object.
    """

    spanish: str
    english: str
    agreement: Agreement = HE
    nouns: tuple[Noun, ...] = ()
    combinations: frozenset[Combination] = frozenset()
    marker: str = ""
    clitic: str = ""

    @cached_property
    def kinds(self) -> frozenset[str]:
        """The kinds of noun it is; a pronoun is a person."""
        return frozenset(KIND[noun] for noun in self.nouns) or frozenset({"person"})


@final
@dataclass(frozen=True)
class Said:
    """A predicate, a clause or a sentence, said in both languages.

    Args:
        spanish: The Spanish words.
        english: The English words.
        combinations: The combinations of words within it.
        negative: Whether it denies something.
        ambiguous: Whether its Spanish could be present or past unless the time is said.
    """

    spanish: str
    english: str
    combinations: frozenset[Combination] = frozenset()
    negative: bool = False
    ambiguous: bool = False


NOBODY, NOWHERE = Phrase("", ""), Said("", "")


def noun_phrase(
    determiner: Determiner, noun: Noun, plural: bool = False, adjective: Adjective | None = None
) -> Phrase:
    """*la casa roja*, *the red house*: the adjective changes side, and all the Spanish words agree.

    Spanish marks an object with *a* if it is people, or an animal that is a certain one.
    """
    agreement = Agreement(THEY if plural else IT, noun.gender)
    marked = KIND[noun] in PEOPLE or (KIND[noun] == "animal" and determiner not in (INDEFINITE, TWO))
    return Phrase(
        words(
            determiner.spanish[2 * plural + (noun.gender == "f")],
            spanish_plural(noun.spanish) if plural else noun.spanish,
            agree(adjective, agreement) if adjective else "",
        ),
        words(
            determiner.english[plural],
            adjective.english if adjective else "",
            english_plural(noun.english) if plural else noun.english,
        ),
        agreement,
        (noun,),
        frozenset({(adjective.spanish, noun.spanish)} if adjective else ()),
        marker="a" if marked else "",
    )


def both(first: Phrase, second: Phrase) -> Phrase:
    """*el niño y la niña*: masculine unless all are feminine."""
    nouns = first.nouns + second.nouns
    return Phrase(
        f"{first.spanish} y {second.spanish}",
        f"{first.english} and {second.english}",
        Agreement(THEY, "f" if all(noun.gender == "f" for noun in nouns) else "m"),
        nouns,
        first.combinations | second.combinations,
    )


def relative(head: Phrase, predicate: Said, subject: Phrase | None = None, time: Pair = TIMELESS) -> Phrase:
    """*el niño que come pan*, *the boy who eats bread*; or, with a subject, *el libro que leo*."""
    who = "who" if head.kinds <= set(PEOPLE) else "that"
    spanish, english = (subject.spanish, subject.english) if subject else ("", "")
    return replace(
        head,
        spanish=words(head.spanish, "que", spanish, predicate.spanish, time[0]),
        english=words(head.english, who, english, predicate.english, time[1]),
        combinations=head.combinations | predicate.combinations,
    )


def adjunct(preposition: Pair, phrase: Phrase) -> Said:
    """*en el parque*, *in the park*."""
    return Said(
        f"{preposition[0]} {phrase.spanish}", f"{preposition[1]} {phrase.english}", phrase.combinations
    )


def action(
    subject: Phrase,
    verb: Verb,
    tense: Tense,
    target: Phrase | None = None,
    where: Said | None = None,
    negative: bool = False,
) -> Said:
    """What the subject does: *no la veo en el parque*, *do not see it in the park*."""
    person = subject.agreement.person
    target, where = target or NOBODY, where or NOWHERE
    return Said(
        words(
            "no" if negative else "",
            target.clitic,
            spanish_verb(verb, tense, person),
            target.marker,
            target.spanish,
            where.spanish,
        ),
        words(english_verb(verb, tense, person, negative), target.english, where.english),
        target.combinations | where.combinations | {(verb.spanish, noun.spanish) for noun in target.nouns},
        negative,
        ambiguous=tense in ("present", "past") and same_in_past(verb, person),
    )


def quality(subject: Phrase, *adjectives: Adjective) -> Said:
    """What a subject is like: *grande y roja*, *big and red*."""
    return Said(
        " y ".join(agree(adjective, subject.agreement) for adjective in adjectives),
        " and ".join(adjective.english for adjective in adjectives),
        frozenset((adjective.spanish, noun.spanish) for adjective in adjectives for noun in subject.nouns),
    )


def state(subject: Phrase, be: Literal["ser", "estar"], what: Said, negative: bool = False) -> Said:
    """*la casa es roja*, *está en la calle*: Spanish has a *to be* for what lasts and one for what passes."""
    person = subject.agreement.person
    return Said(
        words("no" if negative else "", forms(be, "present")[person], what.spanish),
        words(BE[person], "not" if negative else "", what.english),
        what.combinations,
        negative,
    )


def clause(subject: Phrase, *predicates: Said) -> Said:
    """A subject and what is said of it: *la niña lee un libro y bebe leche*."""
    return Said(
        words(subject.spanish, " y ".join(predicate.spanish for predicate in predicates)),
        words(subject.english, " and ".join(predicate.english for predicate in predicates)),
        subject.combinations.union(*(predicate.combinations for predicate in predicates)),
        any(predicate.negative for predicate in predicates),
        any(predicate.ambiguous for predicate in predicates),
    )


def sentence(*clauses: Said, time: Pair = TIMELESS) -> Said:
    """Clauses of one time: *ayer comí pan pero no bebí agua*; *but* joins yes and no.

    Example:
        >>> from rnnx.tasks.data.nmt.grammar.lexicon import ADJECTIVES, DEFINITE, NOUNS, VERBS
        >>> i, see = UNSAID[0], VERBS[6]
        >>> red_house = noun_phrase(DEFINITE, NOUNS["building"][0], adjective=ADJECTIVES[0])
        >>> said = sentence(clause(i, action(i, see, "present", red_house)))
        >>> said.spanish, said.english
        ('veo la casa roja', 'i see the red house')
    """
    alike = len({part.negative for part in clauses}) == 1
    spanish = (" y " if alike else " pero ").join(part.spanish for part in clauses)
    english = (" and " if alike else " but ").join(part.english for part in clauses)
    return Said(
        sound_spanish(words(time[0], spanish)),
        sound_english(words(time[1], english)),
        frozenset().union(*(part.combinations for part in clauses)),
    )


SUBJECTS = (
    Phrase("", "i", Agreement(I, "m")),
    Phrase("", "i", Agreement(I, "f")),
    Phrase("", "you", Agreement(YOU, "m")),
    Phrase("", "you", Agreement(YOU, "f")),
    Phrase("", "we", Agreement(WE, "m")),
    Phrase("", "we", Agreement(WE, "f")),
    Phrase("él", "he", Agreement(IT, "m")),
    Phrase("ella", "she", Agreement(IT, "f")),
    Phrase("ellos", "they", Agreement(THEY, "m")),
    Phrase("ellas", "they", Agreement(THEY, "f")),
)
UNSAID = tuple(subject for subject in SUBJECTS if not subject.spanish)

THING = (Phrase("", "it", clitic="lo"), Phrase("", "it", clitic="la"))
HIM_OR_HER = (Phrase("", "him", clitic="lo"), Phrase("", "her", clitic="la"))
HIM_OR_HER_NAMED = (Phrase("a él", "him", clitic="lo"), Phrase("a ella", "her", clitic="la"))
THEM = (Phrase("", "them", clitic="los"), Phrase("", "them", clitic="las"))
SPEAKERS = (Phrase("", "me", clitic="me"), Phrase("", "you", clitic="te"), Phrase("", "us", clitic="nos"))


def clitics(verb: Verb, person: int) -> tuple[Phrase, ...]:
    """The pronouns that can be the object of a verb, each with one English: *lo leo*, *la saludo*.

    Args:
        verb: A verb that takes an object.
        person: That of its subject; only a third person does something to *me*, *you* and *us*.
    """
    people = any(kind in PEOPLE for kind in verb.objects.split())
    things = any(kind not in PEOPLE for kind in verb.objects.split())
    named = HIM_OR_HER_NAMED if people and things else ()
    speakers = SPEAKERS if people and person in (IT, THEY) else ()
    them = THEM if set(verb.objects.split()) - set(UNCOUNTABLE) else ()
    return (THING if things else HIM_OR_HER) + named + them + speakers
