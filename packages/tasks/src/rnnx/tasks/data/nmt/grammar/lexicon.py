"""The words, Spanish and English, and what goes with what: tables."""

from __future__ import annotations

from functools import cache
from typing import Literal, NamedTuple, TypeAlias, final

Gender: TypeAlias = Literal["m", "f"]
Tense: TypeAlias = Literal["present", "past", "future", "progressive"]
Pair: TypeAlias = tuple[str, str]  # Spanish, English


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


@cache
def suiting(kinds: frozenset[str]) -> tuple[Adjective, ...]:
    """The adjectives that suit all of these kinds of noun."""
    return tuple(adjective for adjective in ADJECTIVES if kinds.issubset(adjective.kinds.split()))


@cache
def done_by(kinds: frozenset[str]) -> tuple[Verb, ...]:
    """The verbs that all of these kinds of noun can do."""
    return tuple(verb for verb in VERBS if kinds.issubset(verb.agents.split()))
