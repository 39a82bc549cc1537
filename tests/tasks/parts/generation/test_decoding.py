"""The wiring of decoder, vocabulary and search against plain loops over single steps."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from rnnx.core.batch import Batch
from rnnx.core.errors import RunError, UsageError
from rnnx.core.net import Net
from rnnx.tasks.parts.generation.decoding import (
    Predictions,
    Reading,
    Search,
    answer_lines,
    attention_file,
    generate,
    loss_of,
    teacher_forced,
)
from rnnx.tasks.parts.generation.search import Hypothesis
from rnnx.tasks.parts.nets.attention import Mechanism
from rnnx.tasks.parts.nets.decoder import Decoder
from rnnx.tasks.parts.nets.embeddings import embeddings
from rnnx.tasks.parts.texts.vocabulary import Vocabulary

WORDS = Vocabulary.train(["a red square left of a blue disc"], "word")
TEXTS = ["a red square", "a disc", "a blue disc left of a red square"]
PLACES, WIDTH = torch.tensor([3, 1, 4]), 5
SEARCH = Search(4, 0.0, 0.0, 0, 6, 0)

pytestmark = pytest.mark.usefixtures("doubles")


def built(mechanism: Mechanism = "additive", input_feeding: bool = True) -> Decoder:
    """A decoder that says something: weights larger than at the start of a training."""
    torch.manual_seed(7)
    net = Net.from_plain({"cell": {"name": "gru", "hidden_size": 6}})
    vectors = embeddings(WORDS, None, "normal", size=7, scale=None, frozen=False)
    decoder = Decoder(
        vectors,
        7,
        net,
        source_sizes=(WIDTH,),
        value_size=WIDTH,
        mechanism=mechanism,
        bridged=True,
        input_feeding=input_feeding,
        teacher_forcing=1.0,
        tied=True,
        embedding_dropout=0.0,
        dropout=0.0,
    )
    with torch.no_grad():
        for weight in decoder.parameters():
            weight.mul_(3)
    return decoder.eval()


def given(decoder: Decoder) -> tuple[Any, Any]:
    """What is looked at, of 3, 1 and 4 places, and the first state."""
    torch.manual_seed(4)
    values = torch.randn(3, 4, WIDTH)
    return decoder.memory(values, torch.arange(4) < PLACES.unsqueeze(1)), decoder.start((values.mean(1),))


def batch_of(texts: list[str]) -> Batch:
    rows = [torch.tensor([*ids, WORDS.eos]) for ids in WORDS.encode(texts)]
    targets = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=WORDS.pad)
    lengths = torch.tensor([len(row) for row in rows])
    return Batch(torch.empty(3, 0), PLACES, targets, torch.arange(3), lengths)


def alone(decoder: Decoder, n: int, target: list[int]) -> tuple[Tensor, Tensor]:
    """The log-probabilities and the attention before each token of a target and after the last."""
    memory, start = given(decoder)
    row, state = torch.tensor([n]), tuple(tensor[n : n + 1] for tensor in start)
    said, seen = [], []
    for token in (WORDS.bos, *target):
        predicted, weights, state = decoder.step(torch.tensor([token]), memory.select(row), state)
        assert weights is not None
        said.append(predicted[0])
        seen.append(weights[0])
    return torch.stack(said), torch.stack(seen)


@torch.no_grad()
def test_each_token_is_read_after_those_before_it() -> None:
    decoder, batch = built(), batch_of(TEXTS)
    predictions = teacher_forced(decoder, WORDS, batch, *given(decoder))
    assert predictions.attention is not None
    expected = []
    for n, text in enumerate(TEXTS):
        target = WORDS.encode([text])[0]
        said, seen = alone(decoder, n, target)
        expected.append(said)
        torch.testing.assert_close(predictions.attention[n, : len(target) + 1], seen)
    torch.testing.assert_close(decoder.logits(predictions.vectors).log_softmax(-1), torch.cat(expected))
    assert predictions.targets.tolist() == [
        token for text in TEXTS for token in (*WORDS.encode([text])[0], WORDS.eos)
    ]
    assert teacher_forced(built("none"), WORDS, batch, *given(decoder)).attention is None


def test_the_loss_is_summed_and_smoothed() -> None:
    """Szegedy et al. 2016, section 7: (1 - eps) of the label and eps / V of every token."""
    logs = torch.tensor([[0.5, 0.25, 0.25], [0.2, 0.7, 0.1]]).log()
    decoder, predictions = built(), Predictions(logs, torch.tensor([0, 2]), None, torch.tensor([[True]]))
    decoder.output = torch.nn.Linear(3, 3)
    torch.nn.init.eye_(decoder.output.weight)
    torch.nn.init.constant_(decoder.output.bias, 3.0)
    plain, smooth = loss_of(decoder, predictions, 0.0), loss_of(decoder, predictions, 0.3)
    assert plain.total.item() == pytest.approx(math.log(2) + math.log(10))
    expected = 0.7 * math.log(20) - 0.1 * logs.sum().item()
    assert smooth.total.item() == pytest.approx(expected)
    assert plain.count.item() == smooth.count.item() == 2


@pytest.mark.parametrize("input_feeding", [False, True], ids=["", "feeding"])
def test_a_beam_of_one_is_a_greedy_loop_over_each_row(input_feeding: bool) -> None:
    """Whose attention is that of its own places, also when another row's search has ended."""
    decoder = built(input_feeding=input_feeding)
    found = generate([Reading(decoder, *given(decoder))], WORDS, SEARCH._replace(beam_size=1))
    for n, (best,) in enumerate(found):
        target: list[int] = []
        while len(target) < 6:
            scores = alone(decoder, n, target)[0][-1].clone()
            scores[[WORDS.pad, WORDS.bos, WORDS.unk]] = -math.inf
            if scores.argmax() == WORDS.eos:
                break
            target.append(int(scores.argmax()))
        assert best.tokens == target
        said, seen = alone(decoder, n, target)
        assert best.attention is not None
        torch.testing.assert_close(best.attention, seen[: len(target)])
        log = said[range(len(target) + 1), [*target, WORDS.eos]].sum().item()
        assert best.log_probability == pytest.approx(log, rel=1e-5)
    assert len({tuple(best.tokens) for (best,) in found}) > 1


def test_every_field_of_the_search_is_heard() -> None:
    decoder = built()
    usual = generate([Reading(decoder, *given(decoder))], WORDS, SEARCH)
    for change in (
        {"beam_size": 1},
        {"length_penalty": 2.0},
        {"coverage_penalty": 0.5},
        {"min_length": 6},
        {"max_length": 2},
        {"no_repeat_ngram": 1, "min_length": 6},
    ):
        asked = SEARCH.changed(1, **change)
        found = generate([Reading(decoder, *given(decoder))], WORDS, asked)
        scores = [[(best.tokens, best.score) for best in row] for rows in (usual, found) for row in rows]
        assert scores[:3] != scores[3:], change
    assert [len(row) for row in generate([Reading(decoder, *given(decoder))], WORDS, SEARCH.changed(4))] == [
        4,
        4,
        4,
    ]


def test_coverage_is_of_the_places_there_are() -> None:
    """Wu et al. 2016, equation 14; a row of one place is covered after one step, and pays nothing."""
    decoder = built()
    search = SEARCH._replace(coverage_penalty=0.5, min_length=2, beam_size=1)
    for n, (best,) in enumerate(generate([Reading(decoder, *given(decoder))], WORDS, search)):
        seen = alone(decoder, n, best.tokens)[1].sum(0)[: int(PLACES[n])]
        penalty = sum(math.log(min(total, 1.0)) for total in seen.tolist())
        assert best.score == pytest.approx(best.log_probability + 0.5 * penalty, rel=1e-5)
        assert n != 1 or best.score == best.log_probability


def test_a_model_whose_numbers_are_lost_says_so() -> None:
    decoder = built()
    with torch.no_grad():
        decoder.output.bias.fill_(math.nan)
    with pytest.raises(RunError, match=r"^the search found no text: .* optimizer\.lr"):
        generate([Reading(decoder, *given(decoder))], WORDS, SEARCH)


def test_what_is_asked_for_changes_the_search_and_nothing_else_does() -> None:
    search = Search(5, 1.0, 0.2, 1, 100, 3)
    assert search.changed(1, beam_size=None, max_length=None) == search
    assert search.changed(1, min_length=0, length_penalty=0.0) == Search(5, 0.0, 0.2, 0, 100, 3)
    assert search.changed(3, beam_size=2) == Search(3, 1.0, 0.2, 1, 100, 3, n_best=3)
    assert search.changed(3) == search._replace(n_best=3)


def test_the_most_tokens_of_a_text_follow_from_its_places() -> None:
    search = SEARCH._replace(max_length=20, min_length=13)
    places = torch.tensor([1, 4, 7])
    assert search.limits(places).tolist() == [20, 20, 20]
    assert search._replace(max_ratio=0.5).limits(places).tolist() == [13, 13, 14]  # 0.5 * 7 + 10 is 13.5
    assert search._replace(max_ratio=2.0).limits(places).tolist() == [13, 18, 20]


def test_no_text_has_more_tokens_than_its_places_allow() -> None:
    decoder = built()
    with torch.no_grad():
        decoder.output.bias[WORDS.eos] = -1000.0
    found = generate(
        [Reading(decoder, *given(decoder))], WORDS, SEARCH._replace(max_length=100, max_ratio=2.0)
    )
    assert [len(best.tokens) for (best,) in found] == [16, 12, 18]


def test_the_unknown_word_is_produced_where_it_may_be() -> None:
    decoder = built()
    with torch.no_grad():
        decoder.output.bias[[WORDS.unk, WORDS.pad, WORDS.bos]] = 100.0
    readings = [Reading(decoder, *given(decoder))]
    known, unknown = (
        {token for (best,) in generate(readings, WORDS, search) for token in best.tokens}
        for search in (SEARCH, SEARCH._replace(unknown=True))
    )
    assert known.isdisjoint({WORDS.unk, WORDS.pad, WORDS.bos})
    assert unknown == {WORDS.unk}


def test_answers_are_texts_or_in_moses_form() -> None:
    def text_of(hypothesis: Hypothesis) -> str:
        return WORDS.decode(hypothesis.tokens)

    found = [
        Hypothesis(WORDS.encode(["a disc"])[0], -0.5, -1.0, None),
        Hypothesis([], -1.23456, -2.0, None),
    ]
    assert list(answer_lines(7, found, text_of, scores=False)) == ["a disc", ""]
    assert list(answer_lines(7, found, text_of, scores=True)) == [
        "7 ||| a disc ||| -0.5000",
        "7 |||  ||| -1.2346",
    ]


def test_what_cannot_be_drawn_is_refused_beforehand(tmp_path: Path) -> None:
    assert attention_file(f"{tmp_path}/a.png", built()) == tmp_path / "a.png"
    with pytest.raises(UsageError, match=r"^attention: the model was trained with task\.attention=none"):
        attention_file(f"{tmp_path}/a.png", built("none"))
    for name in (f"{tmp_path}/b/a.png", f"{tmp_path}", ""):
        problem = f"^attention: expected a file in a folder that exists, got {re.escape(repr(name))}$"
        with pytest.raises(UsageError, match=problem):
            attention_file(name, built())
    with pytest.raises(UsageError, match=r"/a\.txt: expected a picture's name, its ending one of .*, png, "):
        attention_file(f"{tmp_path}/a.txt", built())
