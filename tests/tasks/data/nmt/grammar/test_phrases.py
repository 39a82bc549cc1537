"""What a meaning is in Spanish and in English."""

from __future__ import annotations

import pytest

from rnnx.tasks.data.nmt.grammar.lexicon import (
    ADJECTIVES,
    DEFINITE,
    INDEFINITE,
    MY,
    NOUNS,
    THAT,
    THIS,
    TWO,
    VERBS,
)
from rnnx.tasks.data.nmt.grammar.phrases import (
    HIM_OR_HER_NAMED,
    SPEAKERS,
    SUBJECTS,
    THEM,
    Phrase,
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

N = {noun.spanish: noun for nouns in NOUNS.values() for noun in nouns}
A = {adjective.spanish: adjective for adjective in ADJECTIVES}
V = {verb.spanish: verb for verb in VERBS}
I, _, YOU, _, WE_M, WE_F, HE, SHE, THEY, _ = SUBJECTS  # noqa: E741


def the(noun: str, adjective: str | None = None, plural: bool = False, determiner=DEFINITE) -> Phrase:
    return noun_phrase(determiner, N[noun], plural, A[adjective] if adjective else None)


def does(subject: Phrase, verb: str, tense="present", target=None, where=None, negative=False):
    return clause(subject, action(subject, V[verb], tense, target, where, negative))


def is_(subject: Phrase, *adjectives: str, negative: bool = False):
    said = [A[adjective] for adjective in adjectives]
    return clause(subject, state(subject, said[0].be, quality(subject, *said), negative))


def pronoun(verb: str, subject: Phrase, clitic: str) -> Phrase:
    return next(p for p in clitics(V[verb], subject.agreement.person) if p.clitic == clitic and not p.spanish)


EN_EL_PARQUE = adjunct(("en", "in"), the("parque"))
EATER = relative(the("niño"), action(the("niño"), V["comer"], "present", the("manzana", "rojo")))
READ_BY_US = Phrase("", "", nouns=(N["libro"],))

TRANSLATIONS = [
    # the adjective changes side and agrees
    (does(I, "ver", target=the("casa", "rojo")), "veo la casa roja", "i see the red house"),
    (
        does(I, "ver", target=the("coche", "rojo", plural=True)),
        "veo los coches rojos",
        "i see the red cars",
    ),
    (is_(the("puerta", plural=True), "blanco"), "las puertas son blancas", "the doors are white"),
    (is_(the("niña", plural=True), "joven"), "las niñas son jóvenes", "the girls are young"),
    (is_(the("médico", plural=True), "feliz"), "los médicos están felices", "the doctors are happy"),
    (is_(the("sopa"), "caliente"), "la sopa está caliente", "the soup is hot"),
    (is_(the("silla"), "grande", "verde"), "la silla es grande y verde", "the chair is big and green"),
    (
        is_(the("revista"), "nuevo", "interesante"),
        "la revista es nueva e interesante",
        "the magazine is new and interesting",
    ),
    (is_(WE_F, "cansado"), "estamos cansadas", "we are tired"),
    (
        is_(both(the("niño"), the("niña")), "cansado"),
        "el niño y la niña están cansados",
        "the boy and the girl are tired",
    ),
    (
        is_(both(the("mujer"), the("niña")), "cansado"),
        "la mujer y la niña están cansadas",
        "the woman and the girl are tired",
    ),
    # the feminine that takes el, and contractions
    (does(I, "beber", target=the("agua", "frío")), "bebo el agua fría", "i drink the cold water"),
    (
        does(I, "ver", target=the("águila", "negro", determiner=INDEFINITE)),
        "veo un águila negra",
        "i see a black eagle",
    ),
    (
        does(I, "ver", target=the("águila", "blanco", True)),
        "veo las águilas blancas",
        "i see the white eagles",
    ),
    (
        does(YOU, "ver", target=the("águila", determiner=THIS)),
        "ves esta águila",
        "you see this eagle",
    ),
    (
        clause(the("gato"), state(the("gato"), "estar", adjunct(("cerca de", "near"), the("mercado")))),
        "el gato está cerca del mercado",
        "the cat is near the market",
    ),
    # the a of people, and of a certain animal
    (does(HE, "ver", target=the("niño")), "él ve al niño", "he sees the boy"),
    (
        does(HE, "buscar", target=the("mujer", determiner=INDEFINITE)),
        "él busca a una mujer",
        "he looks for a woman",
    ),
    (
        does(HE, "buscar", target=the("perro", determiner=INDEFINITE)),
        "él busca un perro",
        "he looks for a dog",
    ),
    (does(HE, "buscar", target=the("perro", determiner=MY)), "él busca a mi perro", "he looks for my dog"),
    # a, an and other determiners
    (
        does(SHE, "comer", target=the("manzana", determiner=INDEFINITE)),
        "ella come una manzana",
        "she eats an apple",
    ),
    (
        does(SHE, "leer", target=the("libro", "viejo", determiner=INDEFINITE)),
        "ella lee un libro viejo",
        "she reads an old book",
    ),
    (
        does(SHE, "abrir", target=the("caja", plural=True, determiner=THAT)),
        "ella abre aquellas cajas",
        "she opens those boxes",
    ),
    (
        does(the("hombre", plural=True, determiner=TWO), "dormir"),
        "dos hombres duermen",
        "two men sleep",
    ),
    # pronouns before the verb
    (does(I, "leer", target=pronoun("leer", I, "lo")), "lo leo", "i read it"),
    (does(I, "ver", target=pronoun("ver", I, "la")), "la veo", "i see it"),
    (does(I, "ver", target=HIM_OR_HER_NAMED[1]), "la veo a ella", "i see her"),
    (does(I, "saludar", target=pronoun("saludar", I, "la")), "la saludo", "i greet her"),
    (does(WE_M, "ver", target=THEM[0], negative=True), "no los vemos", "we do not see them"),
    (does(SHE, "ayudar", "past", SPEAKERS[0]), "ella me ayudó", "she helped me"),
    (does(THEY, "ayudar", "future", SPEAKERS[2]), "ellos nos van a ayudar", "they are going to help us"),
    (
        does(SHE, "leer", "progressive", pronoun("leer", SHE, "lo"), negative=True),
        "ella no lo está leyendo",
        "she is not reading it",
    ),
    # negation and tenses
    (does(SHE, "comer", negative=True), "ella no come", "she does not eat"),
    (does(THEY, "dormir", "past"), "ellos durmieron", "they slept"),
    (does(I, "buscar", "past", the("llave")), "busqué la llave", "i looked for the key"),
    (does(YOU, "correr", "past", where=EN_EL_PARQUE), "corriste en el parque", "you ran in the park"),
    (does(YOU, "bailar", "past", negative=True), "no bailaste", "you did not dance"),
    (does(HE, "cantar", "future", negative=True), "él no va a cantar", "he is not going to sing"),
    (does(I, "dormir", "progressive"), "estoy durmiendo", "i am sleeping"),
    (is_(I, "alto", negative=True), "no soy alto", "i am not tall"),
    # relative clauses
    (
        does(EATER, "dormir"),
        "el niño que come la manzana roja duerme",
        "the boy who eats the red apple sleeps",
    ),
    (
        is_(
            relative(
                the("libro"),
                action(WE_M, V["comprar"], "past", READ_BY_US),
                WE_M,
                ("ayer", "yesterday"),
            ),
            "nuevo",
        ),
        "el libro que compramos ayer es nuevo",
        "the book that we bought yesterday is new",
    ),
    (
        does(I, "ver", target=relative(the("perro"), action(the("perro"), V["correr"], "present"))),
        "veo al perro que corre",
        "i see the dog that runs",
    ),
    # two predicates
    (
        clause(
            SHE,
            action(SHE, V["leer"], "present", the("carta")),
            action(SHE, V["beber"], "present", the("café")),
        ),
        "ella lee la carta y bebe el café",
        "she reads the letter and drinks the coffee",
    ),
]


@pytest.mark.parametrize(("said", "spanish", "english"), TRANSLATIONS, ids=[t[1] for t in TRANSLATIONS])
def test_a_meaning_is_said_as_a_native_says_it(said, spanish, english):
    whole = sentence(said)
    assert (whole.spanish, whole.english) == (spanish, english)


def test_two_clauses_are_joined_by_but_when_one_denies():
    yes, no = does(HE, "dormir"), does(I, "dormir", negative=True)
    assert sentence(yes, no).spanish == "él duerme pero no duermo"
    assert sentence(yes, no).english == "he sleeps but i do not sleep"
    assert sentence(no, no).spanish == "no duermo y no duermo"
    said = sentence(does(HE, "dormir", "past"), does(I, "comer", "past"), time=("ayer", "yesterday"))
    assert (said.spanish, said.english) == ("ayer él durmió y comí", "yesterday he slept and i ate")
