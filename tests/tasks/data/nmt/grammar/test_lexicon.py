"""What goes with what, read off the tables by hand."""

from __future__ import annotations

import pytest

from rnnx.tasks.data.nmt.grammar.lexicon import done_by, suiting


@pytest.mark.parametrize(
    ("kinds", "adjectives"),
    [
        ({"print"}, "nuevo viejo interesante"),
        ({"animal"}, "blanco negro grande pequeño viejo joven cansado triste feliz"),
        ({"person", "animal"}, "joven cansado triste feliz"),
        ({"person", "drink"}, ""),
    ],
)
def test_an_adjective_suits_all_it_is_said_of(kinds: set[str], adjectives: str) -> None:
    assert [adjective.spanish for adjective in suiting(frozenset(kinds))] == adjectives.split()


@pytest.mark.parametrize(
    ("kinds", "verbs"),
    [
        ({"bird"}, "ver dormir"),
        ({"animal"}, "comer beber ver buscar dormir correr"),
        ({"kin", "bird"}, "ver dormir"),
        ({"thing"}, ""),
    ],
)
def test_a_verb_is_done_by_all_of_its_subject(kinds: set[str], verbs: str) -> None:
    assert [verb.spanish for verb in done_by(frozenset(kinds))] == verbs.split()
