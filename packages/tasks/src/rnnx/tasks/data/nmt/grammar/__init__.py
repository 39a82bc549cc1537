"""A small grammar that says one meaning in Spanish and in English: the sentences behind the data ``nmt.toy``.

``lexicon`` has the words, ``forms`` inflects them, ``phrases`` says the parts of a sentence in both
languages, a ``speaker`` thinks of something to say, and ``corpus`` makes three splits of what it says.

Where the languages differ is what a model has to learn: Spanish adjectives follow their noun and agree with
it, an object that is a pronoun stands before the verb, a subject that the verb makes plain is left out, and
English negates with *do*. A Spanish sentence has one English sentence only, by two conventions. *Lo* and *la*
are *it* (*lo leo*), but *him* and *her* if the verb is done to people only (*la saludo*) or the person is
named again (*la veo a ella*). A verb whose present and past are spelt alike (*compramos*) has its time said.
"""
