"""Words have the forms that a table of conjugations has."""

from __future__ import annotations

from rnnx.tasks.data.nmt.grammar.forms import forms
from rnnx.tasks.data.nmt.grammar.lexicon import VERBS

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
    assert table.keys() == {verb.spanish for verb in VERBS}
    for verb, row in table.items():
        present, past, gerund = row.split(" / ")
        assert forms(verb, "present") == present.split()
        assert forms(verb, "past") == past.split()
        assert forms(verb, "gerund") == [gerund]
