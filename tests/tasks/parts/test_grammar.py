"""The toy corpus: its Spanish and English are right, and its splits do not leak."""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise

import pytest

from rnnx.core.errors import UsageError
from rnnx.tasks.parts.grammar import (
    ADJECTIVES,
    DEFINITE,
    HIM_OR_HER_NAMED,
    INDEFINITE,
    MY,
    NOUNS,
    SPEAKERS,
    SUBJECTS,
    THAT,
    THEM,
    THIS,
    TWO,
    VERBS,
    Phrase,
    Speaker,
    action,
    adjunct,
    both,
    clause,
    clitics,
    corpus,
    forms,
    held_out,
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


# Present and past of every verb, as a table of conjugations has them: yo, tú, él, nosotros, ellos.
CONJUGATIONS = """
comer: como comes come comemos comen / comí comiste comió comimos comieron / comiendo
beber: bebo bebes bebe bebemos beben / bebí bebiste bebió bebimos bebieron / bebiendo
comprar: compro compras compra compramos compran / compré compraste compró compramos compraron / comprando
leer: leo lees lee leemos leen / leí leíste leyó leímos leyeron / leyendo
abrir: abro abres abre abrimos abren / abrí abriste abrió abrimos abrieron / abriendo
limpiar: limpio limpias limpia limpiamos limpian / limpié limpiaste limpió limpiamos limpiaron / limpiando
ver: veo ves ve vemos ven / vi viste vio vimos vieron / viendo
buscar: busco buscas busca buscamos buscan / busqué buscaste buscó buscamos buscaron / buscando
saludar: saludo saludas saluda saludamos saludan / saludé saludaste saludó saludamos saludaron / saludando
ayudar: ayudo ayudas ayuda ayudamos ayudan / ayudé ayudaste ayudó ayudamos ayudaron / ayudando
dormir: duermo duermes duerme dormimos duermen / dormí dormiste durmió dormimos durmieron / durmiendo
correr: corro corres corre corremos corren / corrí corriste corrió corrimos corrieron / corriendo
cantar: canto cantas canta cantamos cantan / canté cantaste cantó cantamos cantaron / cantando
bailar: bailo bailas baila bailamos bailan / bailé bailaste bailó bailamos bailaron / bailando
"""


def test_verbs_conjugate_as_the_tables_say():
    table = dict(line.split(": ") for line in CONJUGATIONS.strip().splitlines())
    assert table.keys() == V.keys()
    for verb, row in table.items():
        present, past, gerund = row.split(" / ")
        assert forms(verb, "present") == present.split()
        assert forms(verb, "past") == past.split()
        assert forms(verb, "gerund") == [gerund]


# Every determiner, noun and adjective as a dictionary has them, by gender and number.
DETERMINERS = {
    "ms": "el un este aquel mi tu nuestro al del",
    "fs": "la una esta aquella mi tu nuestra",
    "mp": "los unos estos aquellos mis tus nuestros dos",
    "fp": "las unas estas aquellas mis tus nuestras dos",
}
NOUN_FORMS = {
    "ms": "niño hombre profesor médico hermano gato perro caballo pájaro tomate pan arroz café libro coche "
    "sombrero parque jardín mercado",
    "fs": "niña mujer profesora enfermera abuela amiga águila manzana pera sopa agua leche revista carta "
    "bicicleta camisa llave puerta ventana caja mesa silla casa cocina calle playa",
    "mp": "niños hombres profesores médicos hermanos gatos perros caballos pájaros tomates libros coches "
    "sombreros",
    "fp": "niñas mujeres profesoras enfermeras abuelas amigas águilas manzanas peras revistas cartas "
    "bicicletas camisas llaves puertas ventanas cajas mesas sillas",
}
ADJECTIVE_FORMS = {
    "ms": "rojo blanco negro pequeño nuevo viejo alto cansado frío",
    "fs": "roja blanca negra pequeña nueva vieja alta cansada fría",
    "mp": "rojos blancos negros pequeños nuevos viejos altos cansados fríos",
    "fp": "rojas blancas negras pequeñas nuevas viejas altas cansadas frías",
}
BOTH_GENDERS = {
    "s": "verde grande interesante joven amable triste feliz caliente",
    "p": "verdes grandes interesantes jóvenes amables tristes felices calientes",
}
NOUN_OF = {word: shape for shape, text in NOUN_FORMS.items() for word in text.split()}
ADJECTIVES_OF = {
    shape: {*ADJECTIVE_FORMS[shape].split(), *BOTH_GENDERS[shape[1]].split()} for shape in ADJECTIVE_FORMS
}
ALL_ADJECTIVES = set().union(*ADJECTIVES_OF.values())
ALL_DETERMINERS = {word for text in DETERMINERS.values() for word in text.split()}


@pytest.fixture(scope="module")
def sample() -> list[tuple[str, str]]:
    speaker = Speaker(random.Random(11))
    return [(said.spanish, said.english) for said in (speaker.sentence() for _ in range(30_000))]


def test_articles_and_adjectives_agree_with_their_noun(sample):
    checked = 0
    for spanish, _ in sample:
        tokens = ["", *spanish.split(), ""]
        for before, noun, after in zip(tokens, tokens[1:], tokens[2:], strict=False):
            if (shape := NOUN_OF.get(noun)) is None:
                continue
            if before in ALL_DETERMINERS:
                stressed = noun in ("agua", "águila") and before in ("el", "un", "al", "del")
                assert stressed or before in DETERMINERS[shape].split(), spanish
                assert stressed or noun not in ("agua", "águila") or before not in ("la", "una"), spanish
                checked += 1
            if after in ALL_ADJECTIVES:
                assert after in ADJECTIVES_OF[shape], spanish
                checked += 1
    assert checked > 60_000


def test_every_word_for_a_noun_or_an_adjective_is_in_the_dictionary(sample):
    """So that the check of agreement looks at all of them."""
    heard = {word for spanish, _ in sample for word in spanish.split()}
    assert heard.issuperset(NOUN_OF)
    assert {noun.spanish for nouns in NOUNS.values() for noun in nouns} <= NOUN_OF.keys()
    assert {adjective.spanish for adjective in ADJECTIVES} <= ALL_ADJECTIVES


def test_no_contraction_is_forgotten(sample):
    for spanish, english in sample:
        for wrong in (" a el ", " de el ", " y i", " la agua", " una águila", " la águila"):
            assert wrong not in f" {spanish} ", spanish
        tokens = english.split()
        for article, word in pairwise(tokens):
            assert article != "a" or word[0] not in "aeiou", english
            assert article != "an" or word[0] in "aeiou", english


def test_english_verbs_agree_with_he_and_she(sample):
    said = {v for verb in VERBS for v in verb.english.replace(" for", "").split(", ")}
    base = {verb.english.split(", ")[0].removesuffix(" for") for verb in VERBS} - {"read"}
    for _, english in sample:
        tokens = english.split()
        for subject, verb in pairwise(tokens):
            if subject in ("he", "she"):
                assert verb not in base | {"am", "are", "do"}, english
                assert verb in said | {"is", "does", "did"}, english
            if subject in ("i", "we", "they") and verb in said | {"is", "does"}:
                assert not verb.endswith("s"), english


def test_a_spanish_sentence_has_one_english_sentence(sample):
    english_of: dict[str, str] = {}
    for spanish, english in sample:
        assert english_of.setdefault(spanish, english) == english, spanish
    assert len(english_of) < len(sample)  # some came twice, so something was compared


def test_what_could_be_present_or_past_has_its_time_said(sample):
    """*compramos* and its like, found by their form."""
    alike = {"compramos", "abrimos", "limpiamos", "buscamos", "saludamos", "ayudamos", "dormimos"}
    alike |= {"cantamos", "bailamos"}
    found = [spanish.split() for spanish, _ in sample if alike.intersection(spanish.split())]
    assert found
    assert all({"ahora", "ayer", "anoche"}.intersection(tokens) for tokens in found)


@pytest.fixture(scope="module")
def splits():
    return corpus(train=6000, valid=300, test=400, seed=5)


def test_sizes_are_as_asked(splits):
    assert {name: len(pairs) for name, pairs in splits.items()} == {"train": 6000, "valid": 300, "test": 400}


def test_no_sentence_comes_twice(splits):
    sentences = [spanish for pairs in splits.values() for spanish, _ in pairs]
    assert len(set(sentences)) == len(sentences)


def test_every_word_of_valid_and_test_is_trained_on(splits):
    for side in (0, 1):
        known = {word for pair in splits["train"] for word in pair[side].split()}
        for name in ("valid", "test"):
            assert {word for pair in splits[name] for word in pair[side].split()} <= known


def test_lengths_vary_within_bounds(splits):
    lengths = {len(spanish.split()) for pairs in splits.values() for spanish, _ in pairs}
    assert lengths == set(range(3, 17))
    for pairs in splits.values():
        for spanish, english in pairs:
            assert f"{spanish}{english}" == f"{spanish}{english}".lower()
            assert [" ".join(spanish.split()), " ".join(english.split())] == [spanish, english]


VERB_OF = {form: verb for verb in V for tense in ("present", "past", "gerund") for form in forms(verb, tense)}
VERB_OF |= {verb: verb for verb in V}


def dictionary(table: dict[str, str]) -> dict[str, str]:
    """Every form in a row-by-row table to the one that stands in its place in the first row."""
    first, *rest = (text.split() for text in table.values())
    return {form: head for row in (first, *rest) for form, head in zip(row, first, strict=True)}


ADJECTIVE_OF = dictionary(ADJECTIVE_FORMS) | dictionary(BOTH_GENDERS)


def noun_of(word: str) -> str:
    """A noun's singular, by the dictionary."""
    return next((noun for noun in (word, word[:-1], word[:-2]) if noun in N), word)


def combinations(spanish: str) -> Iterator[tuple[str, str]]:
    """What stands next to each other: noun and adjective, verb and its object; found in the words alone."""
    tokens = spanish.split()
    plain = "que" not in tokens  # a relative clause may end in a noun that the verb after it is not about
    for i, token in enumerate(tokens):
        after = tokens[i + 1] if i + 1 < len(tokens) else ""
        if token in NOUN_OF and after in ADJECTIVE_OF:
            yield ADJECTIVE_OF[after], noun_of(token)
        is_said_of = plain and token in NOUN_OF and after in ("es", "son", "está", "están")
        if is_said_of and tokens[i + 2] in ADJECTIVE_OF:
            yield ADJECTIVE_OF[tokens[i + 2]], noun_of(token)
        if token in VERB_OF:
            rest = [word for word in tokens[i + 1 : i + 4] if word not in ALL_DETERMINERS | {"a"}]
            if rest and rest[0] in NOUN_OF:
                yield VERB_OF[token], noun_of(rest[0])


def test_the_finder_of_combinations_finds_them():
    """It is the judge of the tests below."""
    found = set(combinations("la casa roja es grande y voy a leer las cartas viejas"))
    assert found == {("rojo", "casa"), ("leer", "carta"), ("viejo", "carta")}
    assert set(combinations("los niños están tristes y ven al gato")) == {("triste", "niño"), ("ver", "gato")}


@pytest.mark.parametrize("seed", [5, 6])
def test_held_out_combinations_are_absent_from_training_and_fill_the_test(seed):
    splits = corpus(train=3000, valid=200, test=200, seed=seed)
    held = held_out(random.Random(seed))
    trained = {found for spanish, _ in splits["train"] for found in combinations(spanish)}
    assert len(trained) > 200
    assert trained.isdisjoint(held)
    for name in ("valid", "test"):
        novel = [spanish for spanish, _ in splits[name] if held.intersection(combinations(spanish))]
        assert len(novel) >= 0.5 * len(splits[name])
        assert len(novel) <= 0.7 * len(splits[name])  # the rest is of combinations that are known


def test_every_word_keeps_most_of_its_partners():
    held = held_out(random.Random(3))
    for verb in (verb for verb in VERBS if verb.objects):
        partners = sum(len(NOUNS[kind]) for kind in verb.objects.split())
        kept = partners - sum(word == verb.spanish for word, _ in held)
        assert 0.6 * partners < kept < partners


def test_another_seed_says_and_holds_out_something_else(splits):
    other = corpus(train=6000, valid=300, test=400, seed=4)
    shared = {spanish for spanish, _ in splits["test"]} & {spanish for spanish, _ in other["test"]}
    assert len(shared) < 100
    assert held_out(random.Random(5)) != held_out(random.Random(4))


def test_a_seed_says_the_same_in_every_process():
    """Were a set's order to matter, another hash seed would say something else."""
    program = (
        "import hashlib; from rnnx.tasks.parts.grammar import corpus;"
        "print(hashlib.sha256(repr(corpus(300, 20, 20, seed=9)).encode()).hexdigest())"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", program],
            env=os.environ | {"PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for hash_seed in ("1", "2")
    }
    assert digests == {hashlib.sha256(repr(corpus(300, 20, 20, seed=9)).encode()).hexdigest()}


def test_the_caller_s_random_state_is_left_alone():
    random.seed(1)
    state_before = random.getstate()
    corpus(50, 2, 2, seed=1)
    assert random.getstate() == state_before


def test_sizes_that_cannot_be_filled_are_refused():
    with pytest.raises(UsageError, match="train=0, valid=1, test=0"):
        corpus(train=0, valid=1, test=0, seed=1)
