"""The CRF against the enumeration of all sequences, and the softmax against its definition."""

from __future__ import annotations

import math
from itertools import pairwise, product

import pytest
import torch
from torch import Tensor

from rnnx.tasks.parts.nets.crf import CRF, Softmax, Tagging
from rnnx.tasks.parts.texts.tags import OUTSIDE, Scheme, Tag, entities, inventory, legal, tags_of

doubles = pytest.mark.usefixtures("doubles")

LENGTHS = torch.tensor([4, 1, 3, 2])
ANYTHING = torch.ones(3, dtype=torch.bool)
STARTS = torch.tensor([True, True, False])
FOLLOW = torch.tensor([[True, True, False], [True, False, True], [True, True, True]])
ENDS = torch.tensor([True, False, True])


def crf(constrained: bool) -> CRF:
    """With weights drawn at random."""
    made = CRF(STARTS, FOLLOW, ENDS) if constrained else CRF(ANYTHING, ANYTHING.expand(3, 3), ANYTHING)
    for weight in made.parameters():
        torch.nn.init.normal_(weight)
    return made


def drawn(count: int = 4, steps: int = 4, tags: int = 3) -> Tensor:
    return torch.randn(count, steps, tags)


def worth(model: CRF, constrained: bool, scores: Tensor, tags: tuple[int, ...]) -> float:
    """s(y) of one sentence, by its definition."""
    start, transition, end = (weight.tolist() for weight in (model.start, model.transition, model.end))
    total = start[tags[0]] + end[tags[-1]] + sum(scores[t, tag].item() for t, tag in enumerate(tags))
    total += sum(transition[one][other] for one, other in pairwise(tags))
    possible = STARTS[tags[0]] and ENDS[tags[-1]]
    possible = possible and all(FOLLOW[one, other] for one, other in pairwise(tags))
    return total if possible or not constrained else -math.inf


def enumerated(model: CRF, constrained: bool, scores: Tensor, length: int) -> dict[tuple[int, ...], float]:
    """The worth of every sequence."""
    return {
        tags: worth(model, constrained, scores, tags)
        for tags in product(range(scores.shape[-1]), repeat=length)
    }


each_constraint = pytest.mark.parametrize("constrained", [False, True], ids=["free", "constrained"])


@doubles
@each_constraint
def test_the_partition_is_the_sum_over_all_sequences(constrained: bool) -> None:
    model, scores = crf(constrained), drawn()
    found = model.log_partition(scores, LENGTHS)
    for row, length, log in zip(scores, LENGTHS.tolist(), found.tolist(), strict=True):
        total = sum(math.exp(value) for value in enumerated(model, constrained, row, length).values())
        assert log == pytest.approx(math.log(total), abs=1e-12)


@doubles
@each_constraint
def test_the_likelihood_is_the_share_of_a_sequence(constrained: bool) -> None:
    """Of each of the 81, all in one batch."""
    model, scores = crf(constrained), drawn(1)
    worths = enumerated(model, constrained, scores[0], 4)
    tags = torch.tensor(list(worths))
    lengths = torch.full((len(tags),), 4)
    found = model.log_likelihood(scores.expand(len(tags), -1, -1), tags, lengths).exp()
    weights = torch.tensor(list(worths.values())).exp()
    assert torch.allclose(found, weights / weights.sum(), atol=1e-12)
    assert found.sum().item() == pytest.approx(1)
    assert (found == 0).any() == constrained


@doubles
@each_constraint
def test_the_best_path_is_the_best_of_all(constrained: bool) -> None:
    for _ in range(20):
        model, scores = crf(constrained), drawn()
        found = model.decode(scores, LENGTHS)
        for row, length, path in zip(scores, LENGTHS.tolist(), found.tolist(), strict=True):
            worths = enumerated(model, constrained, row, length)
            assert path == [*max(worths, key=worths.__getitem__), *[0] * (4 - length)]


@doubles
@each_constraint
def test_the_gradient_of_the_partition_is_the_marginals(constrained: bool) -> None:
    """As of forward-backward: how probable each tag is at each place, and each pair of neighbours."""
    model, scores = crf(constrained), drawn().requires_grad_()
    model.log_partition(scores, LENGTHS).sum().backward()
    marginals, pairs = torch.zeros_like(scores), torch.zeros(3, 3)
    for number, length in enumerate(LENGTHS.tolist()):
        worths = enumerated(model, constrained, scores[number], length)
        total = sum(map(math.exp, worths.values()))
        for tags, value in worths.items():
            for place, tag in enumerate(tags):
                marginals[number, place, tag] += math.exp(value) / total
            for one, other in pairwise(tags):
                pairs[one, other] += math.exp(value) / total
    assert scores.grad is not None
    assert model.transition.grad is not None
    assert torch.allclose(scores.grad, marginals, atol=1e-12)
    assert torch.allclose(model.transition.grad, pairs, atol=1e-12)


@doubles
@each_constraint
def test_gradients_are_those_of_finite_differences(constrained: bool) -> None:
    model = crf(constrained)
    tags = torch.tensor([[0, 1, 2, 0], [0, 1, 1, 1], [1, 2, 2, 0], [1, 0, 0, 0]])
    assert torch.isfinite(model.log_likelihood(drawn(), tags, LENGTHS)).all()
    assert torch.autograd.gradcheck(
        lambda scores: model.log_likelihood(scores, tags, LENGTHS), drawn().requires_grad_()
    )


@doubles
@pytest.mark.parametrize("kind", ["free", "constrained", "softmax"])
def test_padding_and_neighbours_change_nothing(kind: str) -> None:
    model: Tagging = Softmax() if kind == "softmax" else crf(kind == "constrained")
    scores, tags = drawn(), torch.tensor([[0, 1, 2, 0], [0, 2, 2, 2], [1, 2, 0, 2], [1, 0, 2, 2]])
    logs, best = model.log_likelihood(scores, tags, LENGTHS), model.decode(scores, LENGTHS)
    assert torch.isfinite(logs).all()
    for n, length in enumerate(LENGTHS.tolist()):
        alone = scores[n : n + 1, :length]
        one = torch.tensor([length])
        assert torch.allclose(model.log_likelihood(alone, tags[n : n + 1, :length], one), logs[n], atol=1e-12)
        assert model.decode(alone, one)[0].tolist() == best[n, :length].tolist()
        assert best[n, length:].tolist() == [0] * (4 - length)
    padding = torch.arange(4) >= LENGTHS.unsqueeze(1)
    junk = torch.where(padding.unsqueeze(2), 1e3 * drawn(), scores)
    assert torch.allclose(model.log_likelihood(junk, tags.masked_fill(padding, 1), LENGTHS), logs, atol=1e-12)
    assert torch.equal(model.decode(junk, LENGTHS), best)


@doubles
def test_a_crf_without_weights_is_the_softmax() -> None:
    model = CRF(ANYTHING, ANYTHING.expand(3, 3), ANYTHING)
    scores, tags = drawn(), torch.randint(3, (4, 4))
    ours, theirs = (each.log_likelihood(scores, tags, LENGTHS) for each in (model, Softmax()))
    assert torch.allclose(ours, theirs, atol=1e-12)
    assert torch.equal(model.decode(scores, LENGTHS), Softmax().decode(scores, LENGTHS))


@doubles
def test_the_softmax_is_of_each_place_by_itself() -> None:
    scores, tags = drawn(), torch.randint(3, (4, 4))
    for n, length in enumerate(LENGTHS.tolist()):
        expected = 0.0
        for place in range(length):
            row = scores[n, place].tolist()
            expected += row[int(tags[n, place])] - math.log(sum(map(math.exp, row)))
        found = Softmax().log_likelihood(scores, tags, LENGTHS)[n]
        assert found.item() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("scheme", ["iob2", "iobes"])
def test_no_decoded_sequence_breaks_its_scheme(scheme: Scheme) -> None:
    """Whatever net and weights would like best: tags that are read and written again are the same."""
    torch.manual_seed(0)
    tags = inventory(["PER", "LOC"], scheme)
    follow = torch.tensor([[legal(one, other, scheme) for other in tags] for one in tags])
    model = CRF(follow[0], follow, follow[:, 0])
    with torch.no_grad():
        for weight, allowed in ((model.start, follow[0]), (model.transition, follow)):
            weight.copy_(torch.where(allowed, 0.0, 1e6))
    lengths = torch.randint(1, 9, (200,))
    found = model.decode(1e4 * torch.randn(200, 8, len(tags)), lengths)
    for row, length in zip(found.tolist(), lengths.tolist(), strict=True):
        sequence = [tags[number] for number in row[:length]]
        assert tags_of(entities(sequence), length, scheme) == sequence
    used = {tags[number] for row in found.tolist() for number in row}
    assert used == set(tags)
    assert OUTSIDE in used
    assert Tag("B", "PER") in used


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_scores_of_16_bits_are_summed_in_32(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    model, scores, tags = crf(True), drawn(4, 60).to(dtype), torch.zeros(4, 60, dtype=torch.long)
    lengths = torch.tensor([60, 1, 33, 2])
    for each in (model, Softmax()):
        wanted = each.log_likelihood(scores.float(), tags, lengths)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            found = each.log_likelihood(scores, tags, lengths)
        assert found.dtype == torch.float32
        assert torch.equal(found, wanted)


@pytest.mark.parametrize(
    ("starts", "follow", "ends"),
    [
        ([True, True], [[True, False], [True, False]], [True, True]),  # nothing leads to the second tag
        ([True, False], [[True, True], [True, True]], [False, False]),
        ([True, False], [[True, True], [True, True]], [False, True]),  # no sentence of one word
    ],
)
def test_constraints_that_leave_nothing_are_refused(
    starts: list[bool], follow: list[list[bool]], ends: list[bool]
) -> None:
    with pytest.raises(ValueError, match="any tag in the second place; these do not"):
        CRF(torch.tensor(starts), torch.tensor(follow), torch.tensor(ends))


def test_what_may_be_is_no_weight() -> None:
    assert set(CRF(STARTS, FOLLOW, ENDS).state_dict()) == {"start", "transition", "end"}
