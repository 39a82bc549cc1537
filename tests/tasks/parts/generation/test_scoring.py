"""Scores of given texts against plain sums over single steps."""

from __future__ import annotations

import math

import pytest
import torch

from rnnx.core.net import Net
from rnnx.tasks.parts.generation.decoding import Predictions
from rnnx.tasks.parts.generation.scoring import Pair, parts_of, scores_of
from rnnx.tasks.parts.nets.decoder import Decoder
from rnnx.tasks.parts.nets.embeddings import embeddings
from rnnx.tasks.parts.texts.vocabulary import Vocabulary

WORDS = Vocabulary.train(["a"], "word")  # and four special ones
WEIGHT = [[1.0, 0.0], [0.0, 2.0], [1.0, -1.0], [-0.5, 0.5], [0.0, 0.1]]  # of each token
VECTORS, TARGETS = [[0.5, -1.0], [2.0, 0.3], [-0.7, 0.1]], [2, 0, 1]


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        ("a b ||| c", ("a b", ["c"])),
        ("a\tb\tc ||| d", ("a", ["b", "c ||| d"])),
        ("a ||| b |||  ||| c", ("a", ["b", "", "c"])),
        ("a ||| ||| c", ("a", ["", "c"])),
        ("a |||", ("a", [""])),
        ("a\t", ("a", [""])),
        ("a|||b ||| c", ("a|||b", ["c"])),
    ],
)
def test_a_line_has_a_source_and_targets(line: str, parts: tuple[str, list[str]]) -> None:
    assert parts_of(line) == parts


@pytest.mark.parametrize("line", ["", "a b", "a || b", "a|||b"])
def test_a_line_without_a_target_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match=r"^expected SOURCE \|\|\| TARGET, or a tab .*, which has neither$"):
        parts_of(line)


@pytest.mark.parametrize("line", ["\ta", "  ||| a", " |||"])
def test_a_line_without_a_source_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match=r"^expected SOURCE \|\|\| TARGET, got .*, whose source is empty$"):
        parts_of(line)


def test_a_pair_is_as_long_as_both_its_sides() -> None:
    assert Pair([torch.tensor([1, 2, 3])], torch.tensor([4])).length == 4


def decoder() -> Decoder:
    """One whose output layer gives the scores ``WEIGHT @ vector``."""
    net = Net.from_plain({"cell": {"name": "gru", "hidden_size": 3}})
    made = Decoder(
        embeddings(WORDS, None, "normal", size=2, scale=None, frozen=False),
        2,
        net,
        source_sizes=(4,),
        value_size=4,
        mechanism="additive",
        bridged=True,
        input_feeding=False,
        teacher_forcing=1.0,
        tied=False,
        embedding_dropout=0.0,
        dropout=0.0,
    )
    with torch.no_grad():
        made.output.weight.copy_(torch.tensor(WEIGHT))
        made.output.bias.zero_()
    return made


def expected(alpha: float, beta: float) -> list[float]:
    """Wu et al. 2016, equation 14, of a text of 2 tokens and of one of 1."""
    logs = []
    for vector, target in zip(VECTORS, TARGETS, strict=True):
        scores = [sum(a * b for a, b in zip(vector, row, strict=True)) for row in WEIGHT]
        logs.append(scores[target] - math.log(sum(map(math.exp, scores))))
    covered = [math.log(0.8) + math.log(0.4) + math.log(0.8), math.log(0.9) + math.log(0.1)]
    return [
        (logs[0] + logs[1]) / (7 / 6) ** alpha + beta * covered[0],
        logs[2] + beta * covered[1],
    ]


@pytest.mark.parametrize(("alpha", "beta"), [(0.0, 0.0), (0.6, 0.0), (1.0, 0.4)])
def test_a_score_is_that_of_equation_14(alpha: float, beta: float) -> None:
    """The second text has one token and two places; what padding looked at counts for nothing."""
    attention = torch.tensor(
        [[[0.2, 0.3, 0.5], [0.6, 0.1, 0.3]], [[0.9, 0.1, 0.0], [9.0, 9.0, 9.0]]]  # (N, U, S)
    )
    mask = torch.tensor([[True, True, True], [True, True, False]])
    predictions = Predictions(torch.tensor(VECTORS), torch.tensor(TARGETS), attention, mask)
    found = scores_of([decoder()], [predictions], torch.tensor([2, 1]), alpha, beta)
    assert found == pytest.approx(expected(alpha, beta), abs=1e-5)


def test_without_a_penalty_for_it_no_attention_is_needed() -> None:
    mask = torch.ones(2, 3, dtype=torch.bool)
    predictions = Predictions(torch.tensor(VECTORS), torch.tensor(TARGETS), None, mask)
    assert scores_of([decoder()], [predictions], torch.tensor([2, 1])) == pytest.approx(
        expected(0, 0), abs=1e-5
    )
