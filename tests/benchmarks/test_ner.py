from __future__ import annotations

import torch

from benchmarks.ner import NET, OPTIONS, counterparts, rival
from rnnx.tasks.data.ner.padded import PaddedSentences
from rnnx.tasks.data.ner.sentence import Sentence
from rnnx.tasks.ner import Entities
from rnnx.tasks.parts.texts.lexicon import Lexicon
from rnnx.tasks.parts.texts.tags import Entity, inventory

SENTENCES = [
    Sentence(["Ada", "Lovelace", "left", "London", "."], [Entity(0, 2, "PER"), Entity(3, 4, "LOC")]),
    Sentence(["It", "rained"], []),
    Sentence(["in", "In", "Paris", "it", "rained", "in", "Paris"], [Entity(2, 3, "LOC")]),
    Sentence(["London"], [Entity(0, 1, "LOC")]),
]


def test_the_rival_is_the_same_network() -> None:
    torch.manual_seed(0)
    lexicon = Lexicon.train([sentence.words for sentence in SENTENCES], lowercase=True, zero_digits=True)
    tags = inventory(["PER", "LOC"], "iobes")
    meta = {
        "lexicon": lexicon.to_plain(),
        "tagging": "iobes",
        "tags": [str(tag) for tag in tags],
        "vectors": None,
        "examples": {},
    }
    ours = Entities(NET, meta, **{**OPTIONS, "dropout": 0.0}).double()
    with torch.no_grad():
        for parameter in ours.tagging.parameters():
            parameter.normal_()
    theirs = rival(ours)
    batch = PaddedSentences(SENTENCES, lexicon, tags, "iobes")[[0, 1, 2, 3]]
    loss = ours.loss(ours(batch), batch)
    mine, other = loss.total / loss.count, theirs.loss(batch)
    torch.testing.assert_close(mine, other)
    mine.backward()
    other.backward()
    gradients = {name: parameter.grad for name, parameter in ours.named_parameters()}
    assert sorted(counterparts(theirs).values()) == sorted(gradients)
    for own, name in counterparts(theirs).items():
        torch.testing.assert_close(theirs.get_parameter(own).grad, gradients[name])
