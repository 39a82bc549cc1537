"""A small grammar that says one meaning in Spanish and in English: the corpus behind the data ``nmt.toy``.

The file reads from top to bottom: the lexicon (tables), the forms of words (plural, agreement, conjugation),
the rules (each a function that says a part of a sentence in both languages), the `Speaker` that thinks of
something to say, and :func:`corpus`, which makes the three splits.

Where the languages differ is what a model has to learn: Spanish adjectives follow their noun and agree with
it, an object that is a pronoun stands before the verb, a subject that the verb makes plain is left out, and
English negates with *do*. A Spanish sentence has one English sentence only, by two conventions. *Lo* and *la*
are *it* (*lo leo*), but *him* and *her* if the verb is done to people only (*la saludo*) or the person is
named again (*la veo a ella*). A verb whose present and past are spelt alike (*compramos*) has its time said.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple, TypeAlias, final

from rnnx.core.data import Split
from rnnx.core.errors import UsageError

Gender: TypeAlias = Literal["m", "f"]
Tense: TypeAlias = Literal["present", "past", "future", "progressive"]
Pair: TypeAlias = tuple[str, str]  # Spanish, English
Combination: TypeAlias = tuple[str, str]  # an adjective or a verb, and the noun it goes with; in Spanish

NOVEL = 0.6  # the share of valid and test that holds a combination of words never seen in training
LENGTHS = range(3, 17)  # words of a Spanish sentence
PATIENCE = 20_000  # draws in vain after which there are no more sentences of the wanted sort

# --- the lexicon ------------------------------------------------------------------------------------------


@final
class Noun(NamedTuple):
    """A noun, and the English of *en* before it when it is a place."""

    spanish: str
    gender: Gender
    english: str
    at: str = "in"


@final
class Adjective(NamedTuple):
    """An adjective, what it measures, the kinds of noun it suits, and the *to be* it takes."""

    spanish: str
    english: str
    scale: str
    kinds: str
    be: Literal["ser", "estar"] = "ser"


@final
class Verb(NamedTuple):
    """A verb (English: base, third person, past, -ing form), the kinds that do it and that it is done to.

    ``progressive`` and ``company`` say whether one is *doing* it, and does it *with* somebody.
    """

    spanish: str
    english: str
    agents: str
    objects: str = ""
    progressive: bool = True
    company: bool = True


@final
class Determiner(NamedTuple):
    """What stands before a noun: Spanish m, f, m plural, f plural; English singular, plural."""

    spanish: tuple[str, str, str, str]
    english: tuple[str, str]


NOUNS: dict[str, tuple[Noun, ...]] = {
    "person": (Noun("niño", "m", "boy"), Noun("niña", "f", "girl"), Noun("hombre", "m", "man"),
               Noun("mujer", "f", "woman"), Noun("médico", "m", "doctor"), Noun("enfermera", "f", "nurse"),
               Noun("profesor", "m", "teacher"), Noun("profesora", "f", "teacher")),
    "kin": (Noun("hermano", "m", "brother"), Noun("abuela", "f", "grandmother"),
            Noun("amiga", "f", "friend")),
    "animal": (Noun("gato", "m", "cat"), Noun("perro", "m", "dog"), Noun("caballo", "m", "horse")),
    "bird": (Noun("águila", "f", "eagle"), Noun("pájaro", "m", "bird")),
    "fruit": (Noun("manzana", "f", "apple"), Noun("pera", "f", "pear"), Noun("tomate", "m", "tomato")),
    "food": (Noun("pan", "m", "bread"), Noun("sopa", "f", "soup"), Noun("arroz", "m", "rice")),
    "drink": (Noun("agua", "f", "water"), Noun("leche", "f", "milk"), Noun("café", "m", "coffee")),
    "print": (Noun("libro", "m", "book"), Noun("revista", "f", "magazine"), Noun("carta", "f", "letter")),
    "thing": (Noun("coche", "m", "car"), Noun("bicicleta", "f", "bicycle"), Noun("sombrero", "m", "hat"),
              Noun("camisa", "f", "shirt"), Noun("llave", "f", "key")),
    "opening": (Noun("puerta", "f", "door"), Noun("ventana", "f", "window"), Noun("caja", "f", "box")),
    "furniture": (Noun("mesa", "f", "table", "on"), Noun("silla", "f", "chair", "on")),
    "building": (Noun("casa", "f", "house"), Noun("cocina", "f", "kitchen")),
    "place": (Noun("parque", "m", "park"), Noun("jardín", "m", "garden"), Noun("calle", "f", "street"),
              Noun("mercado", "m", "market", "at"), Noun("playa", "f", "beach", "on")),
}  # fmt: skip
KIND = {noun: kind for kind, nouns in NOUNS.items() for noun in nouns}

ADJECTIVES = (
    Adjective("rojo", "red", "colour", "fruit thing opening furniture building"),
    Adjective("verde", "green", "colour", "fruit thing opening furniture"),
    Adjective("blanco", "white", "colour", "animal bird thing opening furniture building"),
    Adjective("negro", "black", "colour", "animal bird thing opening furniture"),
    Adjective("grande", "big", "size", "animal bird fruit thing opening furniture building place"),
    Adjective("pequeño", "small", "size", "animal bird fruit thing opening furniture building place"),
    Adjective("nuevo", "new", "age", "print thing opening furniture building"),
    Adjective("viejo", "old", "age", "animal print thing opening furniture building"),
    Adjective("interesante", "interesting", "worth", "print"),
    Adjective("alto", "tall", "height", "person kin"),
    Adjective("joven", "young", "age", "person animal"),
    Adjective("amable", "kind", "character", "person kin"),
    Adjective("cansado", "tired", "strength", "person kin animal", "estar"),
    Adjective("triste", "sad", "mood", "person kin animal", "estar"),
    Adjective("feliz", "happy", "mood", "person kin animal", "estar"),
    Adjective("frío", "cold", "heat", "food drink", "estar"),
    Adjective("caliente", "hot", "heat", "food drink", "estar"),
)

VERBS = (
    Verb("comer", "eat, eats, ate, eating", "person kin animal", "fruit food"),
    Verb("beber", "drink, drinks, drank, drinking", "person kin animal", "drink"),
    Verb("comprar", "buy, buys, bought, buying", "person kin", "fruit food drink print thing furniture"),
    Verb("leer", "read, reads, read, reading", "person kin", "print"),
    Verb("abrir", "open, opens, opened, opening", "person kin", "opening"),
    Verb("limpiar", "clean, cleans, cleaned, cleaning", "person kin", "thing opening furniture building"),
    Verb("ver", "see, sees, saw, seeing", "person kin animal bird",
         "person kin animal bird print thing furniture building place", progressive=False),
    Verb("buscar", "look for, looks for, looked for, looking for", "person kin animal",
         "person kin animal print thing"),
    Verb("saludar", "greet, greets, greeted, greeting", "person kin", "person kin"),
    Verb("ayudar", "help, helps, helped, helping", "person kin", "person kin"),
    Verb("dormir", "sleep, sleeps, slept, sleeping", "person kin animal bird", company=False),
    Verb("correr", "run, runs, ran, running", "person kin animal"),
    Verb("cantar", "sing, sings, sang, singing", "person kin"),
    Verb("bailar", "dance, dances, danced, dancing", "person kin"),
)  # fmt: skip

DEFINITE = Determiner(("el", "la", "los", "las"), ("the", "the"))
INDEFINITE = Determiner(("un", "una", "unos", "unas"), ("a", "some"))
THIS = Determiner(("este", "esta", "estos", "estas"), ("this", "these"))
THAT = Determiner(("aquel", "aquella", "aquellos", "aquellas"), ("that", "those"))
MY = Determiner(("mi", "mi", "mis", "mis"), ("my", "my"))
YOUR = Determiner(("tu", "tu", "tus", "tus"), ("your", "your"))
OUR = Determiner(("nuestro", "nuestra", "nuestros", "nuestras"), ("our", "our"))
TWO = Determiner(("", "", "dos", "dos"), ("", "two"))
BARE = Determiner(("", "", "", ""), ("", ""))

OWNED = (MY, YOUR, OUR)
COUNTED = (INDEFINITE, THIS, THAT, TWO)
DETERMINERS = {
    **dict.fromkeys(NOUNS, (DEFINITE,) * 6 + COUNTED + OWNED),
    **dict.fromkeys(("person", "bird"), (DEFINITE,) * 4 + COUNTED),
    **dict.fromkeys(("food", "drink"), (DEFINITE, THIS, MY)),
    "building": (DEFINITE,) * 4 + (INDEFINITE, THIS, THAT, *OWNED),
    "kin": OWNED,
    "place": (DEFINITE,),
}

PEOPLE = ("person", "kin")
LIVING = ("person", "kin", "animal", "bird")
THEMES = tuple(kind for kind in NOUNS if kind != "place")  # what something is said about
UNCOUNTABLE = ("food", "drink")
LOOSE = ("fruit", "food", "drink", "print", "thing")  # what is moved, and bought without an article
FIXED = ("opening", "furniture", "building", "place")
INSIDE = ("place", "building")
TIMES: dict[Tense, tuple[Pair, ...]] = {
    "present": (("ahora", "now"),),
    "past": (("ayer", "yesterday"), ("anoche", "last night")),
    "future": (("mañana", "tomorrow"), ("esta noche", "tonight")),
    "progressive": (("ahora", "now"),),
}
TIMELESS: Pair = ("", "")

# --- the forms of words -----------------------------------------------------------------------------------


I, YOU, IT, WE, THEY = range(5)  # noqa: E741  # the persons: indices into the forms of a verb


@final
class Agreement(NamedTuple):
    """What a subject asks of its verb and its adjectives."""

    person: int
    gender: Gender

    @property
    def plural(self) -> bool:
        """Whether more than one is meant."""
        return self.person >= WE


HE = Agreement(IT, "m")
ENDINGS = {
    ("ar", "present"): "o as a amos an", ("ar", "past"): "é aste ó amos aron", ("ar", "gerund"): "ando",
    ("er", "present"): "o es e emos en", ("er", "past"): "í iste ió imos ieron", ("er", "gerund"): "iendo",
    ("ir", "present"): "o es e imos en", ("ir", "past"): "í iste ió imos ieron", ("ir", "gerund"): "iendo",
}  # fmt: skip
IRREGULAR = {
    ("ser", "present"): "soy eres es somos son",
    ("estar", "present"): "estoy estás está estamos están",
    ("ir", "present"): "voy vas va vamos van",
    ("ver", "present"): "veo ves ve vemos ven",
    ("ver", "past"): "vi viste vio vimos vieron",
    ("leer", "past"): "leí leíste leyó leímos leyeron",
    ("leer", "gerund"): "leyendo",
    ("buscar", "past"): "busqué buscaste buscó buscamos buscaron",
    ("dormir", "present"): "duermo duermes duerme dormimos duermen",
    ("dormir", "past"): "dormí dormiste durmió dormimos durmieron",
    ("dormir", "gerund"): "durmiendo",
}
PLURALS = {"joven": "jóvenes", "man": "men", "woman": "women", "tomato": "tomatoes", "box": "boxes"}
BE = ("am", "are", "is", "are", "are")


def words(*parts: str) -> str:
    """Joins what is not empty."""
    return " ".join(part for part in parts if part)


def forms(infinitive: str, tense: str) -> list[str]:
    """The Spanish forms of a verb: of ``"present"`` or ``"past"`` for each person, of ``"gerund"`` the one.

    >>> forms("comer", "present")
    ['como', 'comes', 'come', 'comemos', 'comen']
    """
    if (infinitive, tense) in IRREGULAR:
        return IRREGULAR[infinitive, tense].split()
    stem, group = infinitive[:-2], infinitive[-2:]
    return [stem + ending for ending in ENDINGS[group, tense].split()]


def spanish_verb(verb: Verb, tense: Tense, person: int) -> str:
    """The verb as a subject of that person says it: *veo*, *voy a ver*, *estoy leyendo*."""
    if tense == "future":
        return f"{forms('ir', 'present')[person]} a {verb.spanish}"
    if tense == "progressive":
        return f"{forms('estar', 'present')[person]} {forms(verb.spanish, 'gerund')[0]}"
    return forms(verb.spanish, tense)[person]


def english_verb(verb: Verb, tense: Tense, person: int, negative: bool) -> str:
    """The verb as a subject of that person says it: *sees*, *does not see*, *is going to see*."""
    base, third, past, gerund = verb.english.split(", ")
    negation = "not" if negative else ""
    if tense == "future":
        return words(BE[person], negation, "going to", base)
    if tense == "progressive":
        return words(BE[person], negation, gerund)
    if tense == "past":
        return f"did not {base}" if negative else past
    if person == IT:
        return f"does not {base}" if negative else third
    return f"do not {base}" if negative else base


def same_in_past(verb: Verb, person: int) -> bool:
    """Whether present and past are spelt alike: *compramos* is *we buy* and *we bought*."""
    return forms(verb.spanish, "present")[person] == forms(verb.spanish, "past")[person]


def spanish_plural(word: str) -> str:
    """The plural of a noun or an adjective: *casas*, *flores*, *felices*."""
    if word in PLURALS:
        return PLURALS[word]
    if word.endswith("z"):
        return word[:-1] + "ces"
    return word + ("s" if word[-1] in "aeoé" else "es")


def english_plural(word: str) -> str:
    """The plural of a noun: *houses*, *boxes*, *men*."""
    return PLURALS.get(word, word + "s")


def agree(adjective: Adjective, agreement: Agreement) -> str:
    """The form of a Spanish adjective: *rojo*, *roja*, *rojos*, *rojas*."""
    word = re.sub("o$", "a", adjective.spanish) if agreement.gender == "f" else adjective.spanish
    return spanish_plural(word) if agreement.plural else word


def sound_spanish(text: str) -> str:
    """What two words do to each other: *el agua*, *al niño*, *del parque*, *nuevo e interesante*."""
    text = re.sub(r"\bla (?=agua\b|águila\b)", "el ", text)
    text = re.sub(r"\buna (?=agua\b|águila\b)", "un ", text)
    text = re.sub(r"\b(a|de) el\b", r"\1l", text)
    return re.sub(r"\by (?=i)", "e ", text)


def sound_english(text: str) -> str:
    """What two words do to each other: *an apple*."""
    return re.sub(r"\ba (?=[aeiou])", "an ", text)


# --- the rules --------------------------------------------------------------------------------------------


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

    @property
    def kinds(self) -> set[str]:
        """The kinds of noun it is; a pronoun is a person."""
        return {KIND[noun] for noun in self.nouns} or {"person"}


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


# --- the speaker ------------------------------------------------------------------------------------------


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
        fitting = [adjective for adjective in ADJECTIVES if kind in adjective.kinds.split()]
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
        return [
            verb
            for verb in VERBS
            if subject.kinds <= set(verb.agents.split()) and (verb.progressive or tense != "progressive")
        ]

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
        fitting = [
            adjective
            for adjective in ADJECTIVES
            if subject.kinds <= set(adjective.kinds.split())
            and adjective.scale not in {other.scale for other in ADJECTIVES if other.spanish in own}
        ]
        if not fitting or (subject.kinds.isdisjoint(FIXED) and self.chance(0.35)):
            return state(subject, "estar", self.place(subject), negative)
        first = self.rng.choice(fitting)
        others = [other for other in fitting if other.be == first.be and other.scale != first.scale]
        if others and not negative and self.chance(0.3):
            return state(subject, first.be, quality(subject, first, self.rng.choice(others)))
        return state(subject, first.be, quality(subject, first), negative)


# --- the corpus -------------------------------------------------------------------------------------------


def held_out(rng: random.Random) -> set[Combination]:
    """The combinations kept from training: of each adjective's nouns and each verb's objects, one in five."""
    partners = {adjective.spanish: adjective.kinds for adjective in ADJECTIVES}
    partners |= {verb.spanish: verb.objects for verb in VERBS if verb.objects}
    held: set[Combination] = set()
    for word, kinds in partners.items():
        nouns = [noun.spanish for kind in kinds.split() for noun in NOUNS[kind]]
        held.update((word, noun) for noun in rng.sample(nouns, len(nouns) // 5 or 1))
    return held


def corpus(train: int, valid: int, test: int, seed: int) -> dict[Split, list[Pair]]:
    """Makes the three splits: pairs of a Spanish and an English sentence, words separated by blanks.

    No sentence comes twice. Some combinations of an adjective or a verb with a noun never occur in training;
    six in ten sentences of valid and test hold one of them. Every word of valid and test occurs in training.

    Args:
        train: Sentences to train on.
        valid: Sentences to validate on.
        test: Sentences to test on.
        seed: What the sentences depend on, beside their number.

    Raises:
        UsageError: The grammar has not that many sentences, or too few of the words that training knows.

    Example:
        >>> splits = corpus(train=100, valid=5, test=10, seed=1)
        >>> {split: len(pairs) for split, pairs in splits.items()}
        {'train': 100, 'valid': 5, 'test': 10}
    """
    rng = random.Random(seed)
    held, speaker = held_out(rng), Speaker(rng)
    seen: set[str] = set()

    def familiar(said: Said) -> bool:
        return held.isdisjoint(said.combinations)

    def known(said: Said) -> bool:
        return vocabulary.issuperset(said.spanish.split() + said.english.split())

    def draw(count: int, wanted: Callable[[Said], bool]) -> list[Pair]:
        pairs: list[Pair] = []
        vain = 0
        while len(pairs) < count:
            said = speaker.sentence()
            if said.spanish not in seen and len(said.spanish.split()) in LENGTHS and wanted(said):
                seen.add(said.spanish)
                pairs.append((said.spanish, said.english))
                vain = 0
            elif (vain := vain + 1) == PATIENCE:
                sizes = f"train={train}, valid={valid}, test={test}"
                raise UsageError(
                    f"data: the toy grammar cannot fill {sizes}; choose some hundred to some ten thousand"
                )
        return pairs

    def draw_unseen(count: int) -> list[Pair]:
        novel = round(NOVEL * count)
        pairs = draw(novel, lambda said: known(said) and not familiar(said))
        pairs += draw(count - novel, lambda said: known(said) and familiar(said))
        rng.shuffle(pairs)
        return pairs

    training = draw(train, familiar)
    vocabulary = {word for pair in training for text in pair for word in text.split()}
    return {"train": training, "valid": draw_unseen(valid), "test": draw_unseen(test)}
