"""Scores against sacrebleu itself and hand calculation."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest
import torch
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF

from rnnx.tasks.parts.scores.text_scores import (
    BitsPerCharacter,
    BleuTokens,
    Captions,
    Perplexity,
    Texts,
    Translations,
)

OUTPUTS = [
    "A man in an orange hat is starring at something.",
    "A Boston Terrier runs on lush green grass in front of a white fence.",
    "A girl in a karate uniform breaking a stick with a front kick.",
    "Five people in winter jackets and with helmets stand in the snow, with snowmobiles in the background.",
    "People repair the roof of a house.",
    "A man in light clothing photographs a group of men in dark suits and hats, standing around a woman.",
    "Two people on a hike are sitting around a fire.",
    "",
    'A boy with a red cap, 3 years old, says: "No!"',
    "The cat the cat the cat the cat.",
    "the price rose by 12.5% , he said",
    "Ein Mann mit Hut",
]
REFERENCES = [
    "A man in an orange hat starring at something.",
    "A Boston Terrier is running on lush green grass in front of a white fence.",
    "A girl in karate uniform breaking a stick with a front kick.",
    "Five people wearing winter jackets and helmets stand in the snow, with snowmobiles in the background.",
    "People are fixing the roof of a house.",
    "A man in light colored clothing photographs a group of men wearing dark suits and hats "
    "standing around a woman dressed in a strapless gown.",
    "A group of people sitting around a fire.",
    "Nobody is here.",
    'A three-year-old boy in a red cap says "no".',
    "The cat is on the mat.",
    "The price rose by 12.5%, he said.",
    "A man with a hat",
]
OTHERS = [
    "A man wearing an orange cap stares at something.",
    "A dog runs on green grass near a white fence.",
    "A girl in a karate suit breaks a stick with a kick.",
    "Five people in winter jackets stand in the snow with snowmobiles behind them.",
    "People repair a house's roof.",
    "A man photographs a group of men in suits.",
    "Two hikers sit around a fire.",
    "No one is here.",
    "A small boy with a red cap says no!",
    "There is a cat on the mat.",
    "he said the price rose by 12.5 %",
    "Man with hat",
]
ONE = [(reference,) for reference in REFERENCES]
TWO = list(zip(REFERENCES, OTHERS, strict=True))

CAPTIONS = [
    (
        "a dog runs on the grass",
        ("a brown dog runs through the grass", "the dog is running on green grass", "a dog plays outside"),
    ),
    (
        "two men ride a red bicycle on the road",
        ("two men are riding a red bicycle", "two people on a bicycle ride along the road"),
    ),
    ("a a a a dog", ("a dog sleeps on a couch", "a sleepy dog")),
    (
        "a child with a kite",
        (
            "a child flies a kite on the beach",
            "a boy with a kite",
            "a small child holds a kite with a long tail in the wind on the beach",
        ),
    ),
    (
        "the dog jumps over a log in the woods",
        ("the dog jumps over a log in the woods", "a dog leaps over a fallen tree"),
    ),
    ("", ("a man sits on a bench", "someone rests on a bench")),
    ("snow", ("snow", "a mountain covered with snow")),
]


def updated(metric: Texts, order: list[int], references: list[tuple[str, ...]], size: int = 5) -> Texts:
    """A metric that has seen the sentences in this order, a few at a time."""
    for start in range(0, len(order), size):
        part = order[start : start + size]
        metric.update(torch.tensor(part), [OUTPUTS[n] for n in part], tuple(references[n] for n in part))
    return metric


def test_perplexity_is_that_of_all_tokens_not_the_mean_of_batches() -> None:
    metric = Perplexity()
    metric.update(torch.tensor(math.log(2) + math.log(4)), torch.tensor(2))
    metric.update(torch.tensor(math.log(16.0)), torch.tensor(1))
    assert metric.compute().item() == pytest.approx(2 ** (7 / 3), rel=1e-6)
    metric.reset()
    metric.update(torch.tensor(3 * math.log(5.0), requires_grad=True), torch.tensor(3))
    assert metric.compute().item() == pytest.approx(5)
    assert not metric.compute().requires_grad


@pytest.mark.parametrize(
    ("metric", "expected"), [(Perplexity(), math.e**1.25), (BitsPerCharacter(5.0), 0.25 / math.log(2))]
)
def test_no_small_loss_is_lost_beside_a_large_sum(
    metric: Perplexity | BitsPerCharacter, expected: float
) -> None:
    """In 32 bits 2 ** 25 + 1 is 2 ** 25."""
    metric.update(torch.tensor(float(2**25)), torch.tensor(2**25))
    for _ in range(256):
        metric.update(torch.tensor(2.0**15 + 2**-8), torch.tensor(0))
    metric.update(torch.tensor(-1.0), torch.tensor(0))
    assert metric.compute().item() == pytest.approx(expected, rel=1e-12)


def test_bits_per_character_by_hand() -> None:
    """Four words of probability 1/8 are 12 bits; "the cat sat\\n" has 12 characters."""
    metric = BitsPerCharacter(len("the cat sat\n") / 4)
    metric.update(torch.tensor(math.log(8.0)), torch.tensor(1))
    metric.update(torch.tensor(3 * math.log(8.0)), torch.tensor(3))
    assert metric.compute().item() == pytest.approx(1, rel=1e-6)


@pytest.mark.parametrize("references", [ONE, TWO], ids=["one reference", "two references"])
@pytest.mark.parametrize("tokenize", ["13a", "none", "intl", "char"])
def test_bleu_and_chrf_are_sacrebleus(tokenize: BleuTokens, references: list[tuple[str, ...]]) -> None:
    metric = updated(Translations(tokenize), [7, 3, 11, 0, 9, 2, 4, 10, 1, 8, 5, 6], references)
    streams = [list(stream) for stream in zip(*references, strict=True)]
    bleu = BLEU(tokenize=tokenize).corpus_score(OUTPUTS, streams).score
    chrf = CHRF().corpus_score(OUTPUTS, streams).score
    assert 10 < bleu < 90
    assert 10 < chrf < 90
    assert metric.compute() == pytest.approx({"bleu": bleu, "chrf": chrf}, abs=1e-9)


def test_the_default_tokeniser_is_sacrebleus() -> None:
    scores = [updated(metric, [0, 8, 10], ONE).compute() for metric in (Translations(), Translations("13a"))]
    assert scores[0] == scores[1] != updated(Translations("none"), [0, 8, 10], ONE).compute()
    assert (
        BLEU().corpus_score(["a, b"], [["a , b"]]).score
        == BLEU(tokenize="13a").corpus_score(["a, b"], [["a , b"]]).score
    )


def test_each_tokeniser_is_one_of_sacrebleus() -> None:
    assert set(get_args(BleuTokens)) <= set(BLEU.TOKENIZERS)


def test_bleu_by_hand() -> None:
    """6 of 7 words, 5 of 6 pairs, 4 of 5 and 3 of 4 longer: (3 / 7) ** (1 / 4); too long is no penalty."""
    metric = Translations("none")
    metric.update(torch.tensor([4]), ["the cat sat on the mat today"], (("the cat sat on the mat",),))
    assert metric.compute()["bleu"] == pytest.approx(100 * (3 / 7) ** 0.25, abs=1e-9)
    metric.reset()
    metric.update(torch.tensor([4]), ["the cat sat on"], (("the cat sat on the mat",),))
    assert metric.compute()["bleu"] == pytest.approx(100 * math.exp(1 - 6 / 4), abs=1e-9)


def test_captions_are_scored_as_by_coco() -> None:
    """What pycocoevalcap 1.2 says of them: BLEU (of the closest length), ROUGE-L and CIDEr; two are exact."""
    metric = Captions()
    for part in ([5, 1, 6], [0, 4], [2, 3]):
        metric.update(torch.tensor(part), [CAPTIONS[n][0] for n in part], tuple(CAPTIONS[n][1] for n in part))
    expected = {
        "bleu_1": 77.19461385722718,
        "bleu_2": 64.34900750313638,
        "bleu_3": 50.28271188727154,
        "bleu_4": 42.579318640571706,
        "rouge_l": 67.45320879685497,
        "cider": 2.0142492315661,
        "exact": 100 * 2 / 7,
    }
    assert metric.compute() == pytest.approx(expected, abs=1e-6)


def test_bleu_of_captions_is_not_smoothed() -> None:
    """No pair of words is right; a smoothed BLEU-2 would be above 0."""
    metric = Captions()
    metric.update(torch.tensor([0]), ["b a c"], (("a b",),))
    values = metric.compute()
    assert values["bleu_1"] == pytest.approx(100 * 2 / 3)
    assert values["bleu_2"] == values["bleu_3"] == values["bleu_4"] == 0


def test_exact_are_the_captions_that_someone_wrote() -> None:
    metric = Captions()
    references = (("a cat", "one cat"), ("a dog",), ("a bird", "a bird flies"))
    metric.update(torch.tensor([0, 1, 2]), ["one cat", "a cat", "bird"], references)
    assert metric.compute()["exact"] == pytest.approx(100 / 3)


def test_an_example_that_comes_twice_counts_once() -> None:
    once = updated(Translations(), list(range(12)), ONE).compute()
    twice = updated(Translations(), [*range(12), 0, 1, 9, 9, 9], ONE).compute()
    assert twice == once
    copies = [*OUTPUTS, OUTPUTS[0], OUTPUTS[1], *[OUTPUTS[9]] * 3]
    stream = [*REFERENCES, REFERENCES[0], REFERENCES[1], *[REFERENCES[9]] * 3]
    assert once["bleu"] != pytest.approx(BLEU().corpus_score(copies, [stream]).score, abs=1e-3)


@pytest.mark.parametrize("kind", [Translations, Captions])
def test_a_reset_forgets_everything(kind: type[Translations | Captions]) -> None:
    metric = updated(kind(), list(range(12)), ONE)
    metric.reset()
    assert updated(metric, [2, 5], ONE).compute() == updated(kind(), [2, 5], ONE).compute()


def test_sentences_without_a_partner_are_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        Translations().update(torch.tensor([0, 1]), ["a", "b"], (("a",),))


TWO_PROCESSES = """
import os, sys, torch
from rnnx.tasks.parts.scores.text_scores import Captions, Perplexity, Translations
rank = 1 if os.fork() == 0 else 0
torch.distributed.init_process_group("gloo", init_method="file://" + sys.argv[1], rank=rank, world_size=2)
text, captions, perplexity = Translations("none"), Captions(), Perplexity()
sentences = ["a b c d e", "a b c d x y", "k l m n", "p q r s t"]
references = [("a b c d e",), ("a b c d e f g",), ("k l m o",), ("p q r s t u",)]
mine = [[0, 1], [2, 3, 0]][rank]  # a sampler fills the second process up with the first example
for metric in (text, captions):
    metric.update(torch.tensor(mine), [sentences[n] for n in mine], tuple(references[n] for n in mine))
perplexity.update(torch.tensor([4.0, 2.0][rank]), torch.tensor([1, 3][rank]))
scores = text.compute() | captions.compute() | {"perplexity": perplexity.compute().item()}
torch.distributed.barrier()
if rank == 0:
    print(scores["bleu"], scores["chrf"], scores["perplexity"], scores["exact"])
    os.wait()
torch.distributed.destroy_process_group()
"""


@pytest.mark.slow
def test_processes_share_their_examples_and_each_counts_once(tmp_path: Path) -> None:
    command = [sys.executable, "-c", TWO_PROCESSES, str(tmp_path / "meeting")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    bleu, chrf, perplexity, exact = map(float, done.stdout.split())
    hypotheses = ["a b c d e", "a b c d x y", "k l m n", "p q r s t"]
    streams = [["a b c d e", "a b c d e f g", "k l m o", "p q r s t u"]]
    assert bleu == pytest.approx(BLEU(tokenize="none").corpus_score(hypotheses, streams).score, abs=1e-9)
    assert chrf == pytest.approx(CHRF().corpus_score(hypotheses, streams).score, abs=1e-9)
    assert perplexity == pytest.approx(math.exp(6 / 4))
    assert exact == 25
