"""The plain rival is the network that rnnx has: the same numbers, and the same translations."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from benchmarks.nmt import (
    Attention,
    Rival,
    built,
    copy,
    corpus,
    mean_loss,
    plainly,
    rows,
    step_times,
    table,
    training,
)
from rnnx.core.batch import Batch
from rnnx.tasks.nmt import Translation

WORDS = ["ein", "hund", "rennt", "im", "gras", "und", "bellt", "eine", "katze", "schläft"]
each_form = pytest.mark.parametrize("input_feeding", [False, True], ids=["", "feeding"])
each_attention = pytest.mark.parametrize("attention", ["additive", "general"])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Texts of one to seven words; the translation has them in another order."""
    lines = [" ".join(WORDS[(n * step) % 10] for step in range(1, 2 + n % 7)) for n in range(40)]
    turned = [" ".join(reversed(line.upper().split())) for line in lines]
    for split in ("train", "val", "test_2016_flickr"):
        for language, texts in (("de", lines), ("en", turned)):
            text = "".join(f"{line}\n" for line in texts)
            (tmp_path / f"{split}.lc.norm.tok.{language}").write_text(text, encoding="utf-8")
    return tmp_path


def pair(
    folder: Path, attention: Attention, input_feeding: bool, dropout: float
) -> tuple[Translation, Rival]:
    torch.manual_seed(1)
    ours, theirs = (
        model.double() for model in built(corpus(folder).meta, attention, input_feeding, 8, dropout)
    )
    return ours, theirs


def batch_of(folder: Path) -> Batch:
    (batch,) = corpus(folder).loader("test")
    return batch


def losses(model: nn.Module, loss: Callable[[Batch], Tensor], batch: Batch) -> list[float]:
    """Of two trainings on two batches each."""
    found: list[Tensor] = []

    def noted(batch: Batch) -> Tensor:
        found.append(loss(batch))
        return found[-1]

    train = training(model, noted, [batch] * 4, 2)
    train()
    train()
    return [value.item() for value in found]


@each_form
@each_attention
def test_both_are_the_same_network_trained_in_the_same_way(
    folder: Path, attention: Attention, input_feeding: bool
) -> None:
    """Loss after loss, and the weights after several updates."""
    ours, theirs = pair(folder, attention, input_feeding, 0.0)
    batch = batch_of(folder)
    assert len({*batch.lengths.tolist()}) > 3
    found, expected = losses(ours, partial(mean_loss, ours), batch), losses(theirs, theirs.loss, batch)
    assert found == pytest.approx(expected, rel=1e-9)
    assert len(found) == 4
    assert found[0] - found[-1] > 1e-3
    same = deepcopy(theirs)
    copy(ours, same)
    for name, parameter in theirs.named_parameters():
        torch.testing.assert_close(parameter, same.get_parameter(name), rtol=1e-6, atol=1e-9)


@each_form
@each_attention
def test_both_translate_alike(folder: Path, attention: Attention, input_feeding: bool) -> None:
    ours, theirs = (model.eval() for model in pair(folder, attention, input_feeding, 0.5))
    with torch.no_grad():
        for weight in ours.parameters():
            weight.mul_(4)
    copy(ours, theirs)
    lines = [german for german, _ in corpus(folder).pairs()["test"]]
    expected = list(ours.predict(lines, beam_size=5))
    assert len(set(expected)) > 5
    for sort in (False, True):
        assert list(plainly(ours, theirs, lines, sort)) == expected
    batch = batch_of(folder)
    limits = ours.search.limits(batch.lengths)
    found = theirs.translate(batch.inputs, batch.lengths, limits, 5, 1.0)
    for (score, words), best in zip(
        found, ours._translate(batch.inputs, batch.lengths, ours.search), strict=True
    ):
        assert words == best[0].tokens
        assert score == pytest.approx(best[0].score, rel=1e-5)


@each_form
def test_dropout_is_in_both(folder: Path, input_feeding: bool) -> None:
    ours, theirs = pair(folder, "additive", input_feeding, 1.0)
    batch = batch_of(folder)
    torch.nn.init.normal_(theirs.output.bias)
    assert not ours.train()(batch).vectors.any()
    logits = theirs.train()(batch)
    torch.testing.assert_close(logits, theirs.output.bias.expand_as(logits))


def test_no_hypothesis_ends_before_the_steps_are_timed(folder: Path) -> None:
    ours, _ = built(corpus(folder).meta, "additive", True, 8)
    seconds = step_times(ours.eval(), batch_of(folder))
    assert len(seconds) == 164
    assert min(seconds) > 0


def test_the_table_has_rates_and_the_ratios_of_each_round() -> None:
    found = rows({"rnnx": [1.0, 2.0, 4.0], "other": [3.0, 2.0, 8.0]}, 1000)
    assert [(way, rate) for way, rate, _ in found] == [("rnnx", 500), ("other", pytest.approx(1000 / 3))]
    *_, line = table("words", [("form", found[1])])
    assert line == "| form | other | 333 | 2.00 | 1.00 to 3.00 |"
