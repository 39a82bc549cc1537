"""The forms of words: plural, agreement, conjugation, and what two words do to each other."""

from __future__ import annotations

import re
from typing import NamedTuple, final

from rnnx.tasks.data.nmt.grammar.lexicon import Adjective, Gender, Tense, Verb

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
