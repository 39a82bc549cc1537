"""Translation against plain loops over its parts, hand calculation, enumeration, and sacrebleu."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice, product
from pathlib import Path
from typing import Any, get_args

import lightning as L
import pytest
import torch
from matplotlib import image
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from torch import Tensor
from torch.utils.data import DataLoader

from rnnx.core.batch import Batch
from rnnx.core.errors import InputError, UsageError
from rnnx.core.exhibits.exhibit import Drawing, Text
from rnnx.core.exhibits.view import View
from rnnx.core.running.optimizers import Adam
from rnnx.tasks.data.nmt.corpus import Example
from rnnx.tasks.data.nmt.padded import PaddedPairs
from rnnx.tasks.nmt import Translation
from rnnx.tasks.parts.bucketing import bucketed
from rnnx.tasks.parts.files.vector_file import vectors_meta
from rnnx.tasks.parts.nets.attention import Mechanism
from rnnx.tasks.parts.texts.vocabulary import Vocabulary

SOURCES = [
    "la casa",
    "la casa roja",
    "el perro come",
    "el gato negro duerme en la casa",
    "una casa",
    "el perro negro",
    "un gato ve el perro rojo y come",
    "come",
]
TARGETS = [
    "the house",
    "the red house",
    "the dog eats",
    "the black cat sleeps in the house",
    "a house",
    "the black dog",
    "a cat sees the red dog and eats",
    "it eats",
]
SOURCE, TARGET = Vocabulary.train(SOURCES, "word"), Vocabulary.train(TARGETS, "word")
META: dict[str, Any] = {
    "source": SOURCE.to_plain(),
    "target": TARGET.to_plain(),
    "source_vectors": None,
    "target_vectors": None,
    "shared_vocabulary": False,
}
GRU = {"name": "gru", "hidden_size": 6}
NET: dict[str, Any] = {"cell": GRU, "bidirectional": True}
MECHANISMS: tuple[Mechanism, ...] = get_args(Mechanism)
MOSES = re.compile(r"(\d+) \|\|\| (.*) \|\|\| (-?\d+\.\d{4})")
LINES = [*SOURCES, "gato", "la roja", "zorro", "el gato", *SOURCES[::-1]]

doubles = pytest.mark.usefixtures("doubles")
quiet = pytest.mark.filterwarnings(
    "ignore:.*does not have many workers",
    "ignore:.*LeafSpec.*:FutureWarning",  # lightning's use of torch
    "ignore:GPU available but not used",
    "ignore:.*logging interval",
)
each_mechanism = pytest.mark.parametrize("mechanism", [name for name in MECHANISMS if name != "dot"])
each_feeding = pytest.mark.parametrize("feeding", [False, True], ids=["", "feeding"])


def built(
    net: dict[str, Any] = NET, meta: dict[str, Any] = META, sharp: float = 4.0, **options: Any
) -> Translation:
    """A model that says something: weights larger than at the start of a training, from a seed."""
    torch.manual_seed(1)
    options = {"embedding_size": 5, "dropout": 0.0, "max_length": 12} | options
    model = Translation(net, meta, **options)
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(sharp)
    return model.eval()


def batch_of(places: Sequence[int]) -> Batch:
    """The pairs at some places, padded."""
    examples = [
        Example([*source, SOURCE.eos], [*target, TARGET.eos], reference)
        for source, target, reference in zip(
            SOURCE.encode(SOURCES), TARGET.encode(TARGETS), TARGETS, strict=True
        )
    ]
    return PaddedPairs([examples[place] for place in places], SOURCE.pad)[list(range(len(places)))]


def loaded(examples: list[Example], shuffle: bool = False) -> DataLoader[Batch]:
    """Batches of three pairs."""
    pairs = PaddedPairs(examples, SOURCE.pad)
    return bucketed(pairs, pairs.lengths, 3, shuffle)


class Loop:
    """One sentence, unpadded, read by the model's encoder and then token by token by its decoder."""

    def __init__(self, model: Translation, source: str) -> None:
        (ids,) = model.source.encode([source])
        self.model, self.tokens = model, torch.tensor([[*ids, model.source.eos]])
        values, state = model.encoder(model.embedding(self.tokens))
        self.memory = model.decoder.memory(values, torch.ones_like(self.tokens, dtype=torch.bool))
        self.first = model.decoder.start(state)

    def read(self, target: Sequence[int]) -> tuple[Tensor, Tensor | None]:
        """The log-probabilities before each token of a target and after the last, and what was looked at."""
        state, predictions, looks = self.first, [], []
        with torch.no_grad():
            for token in (TARGET.bos, *target):
                prediction, look, state = self.model.decoder.step(torch.tensor([token]), self.memory, state)
                predictions.append(prediction[0])
                looks.append(look)
        return torch.stack(predictions), None if looks[0] is None else torch.cat(
            [x for x in looks if x is not None]
        )

    def greedy(self, longest: int) -> list[int]:
        """The most probable token each time, never padding, beginning or unknown."""
        target: list[int] = []
        while len(target) < longest:
            scores = self.read(target)[0][-1]
            allowed = [n for n in range(len(TARGET)) if n not in (TARGET.pad, TARGET.bos, TARGET.unk)]
            best = max(allowed, key=lambda n: scores[n].item())
            if best == TARGET.eos:
                break
            target.append(best)
        return target


# --------------------------------------------------------------------------------------------- the loss


def nats(model: Translation, places: Sequence[int]) -> list[Tensor]:
    """Minus the log-probabilities of all words at each real place of the targets, sentence by sentence."""
    targets = TARGET.encode(TARGETS)
    return [-Loop(model, SOURCES[place]).read(targets[place])[0] for place in places]


@doubles
@each_feeding
@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_the_loss_is_the_cross_entropy_of_the_real_tokens(mechanism: Mechanism, feeding: bool) -> None:
    """Dot wants a memory as wide as the decoder: an encoder of one direction."""
    net = {"cell": GRU, "layers": 2} if mechanism == "dot" else NET | {"layers": 2}
    model = built(net, attention=mechanism, input_feeding=feeding, sharp=1.5)
    places = [3, 0, 7, 6]
    losses = nats(model, places)
    expected = 0.0
    for place, costs in zip(places, losses, strict=True):
        (words,) = TARGET.encode([TARGETS[place]])
        for cost, word in zip(costs, [*words, TARGET.eos], strict=True):
            expected += cost[word].item()
    batch = batch_of(places)
    loss = model.loss(model(batch), batch)
    assert loss.total.item() == pytest.approx(expected, rel=1e-6)
    assert loss.count.item() == sum(map(len, losses)) == 7 + 1 + 2 + 1 + 2 + 1 + 8 + 1


@doubles
def test_it_is_so_for_every_cell(cell: dict[str, Any]) -> None:
    model = built({"cell": cell, "bidirectional": True, "layers": 2}, sharp=1.5)
    targets = TARGET.encode(TARGETS)
    expected = sum(
        -Loop(model, source).read(target)[0][range(len(target) + 1), [*target, TARGET.eos]].sum().item()
        for source, target in zip(SOURCES, targets, strict=True)
    )
    batch = batch_of(range(8))
    assert model.loss(model(batch), batch).total.item() == pytest.approx(expected, rel=1e-6)


@doubles
def test_labels_are_smoothed_in_training_and_only_there() -> None:
    """Szegedy et al. 2016, section 7: (1 - eps) of the label and eps / V of every word."""
    eps, places = 0.3, [1, 6, 4]
    model = built(label_smoothing=eps, sharp=1.5)
    batch = batch_of(places)
    plain = smoothed = 0.0
    for place, costs in zip(places, nats(model, places), strict=True):
        (words,) = TARGET.encode([TARGETS[place]])
        for cost, word in zip(costs, [*words, TARGET.eos], strict=True):
            plain += cost[word].item()
            q = [eps / len(TARGET) + (1 - eps) * (k == word) for k in range(len(TARGET))]
            smoothed += sum(share * cost[k].item() for k, share in enumerate(q))
    assert abs(plain - smoothed) > 0.1
    assert model.loss(model(batch), batch).total.item() == pytest.approx(plain, rel=1e-6)
    model.train()
    assert model.loss(model(batch), batch).total.item() == pytest.approx(smoothed, rel=1e-6)


@doubles
@each_feeding
@each_mechanism
def test_padding_of_either_side_changes_nothing(mechanism: Mechanism, feeding: bool) -> None:
    model = built(attention=mechanism, input_feeding=feeding)
    batch = batch_of([3, 0, 7])
    expected = model.loss(model(batch), batch)
    wider = Batch(
        torch.nn.functional.pad(batch.inputs, (0, 3), value=7),
        batch.lengths,
        torch.nn.functional.pad(batch.targets, (0, 2), value=9),
        batch.index,
        batch.target_lengths,
    )
    actual = model.loss(model(wider), wider)
    torch.testing.assert_close(actual.total, expected.total, rtol=1e-6, atol=0)
    assert actual.count == expected.count


@doubles
def test_dropout_is_everywhere_it_is_said_to_be_and_only_in_training() -> None:
    """All dropped, what words are predicted from is 0."""
    model = built(dropout=1.0, label_smoothing=0.0)
    batch = batch_of([2, 3])
    assert model(batch).vectors.any()
    assert not model.train()(batch).vectors.any()


@doubles
@pytest.mark.parametrize("side", ["inputs", "targets"])
def test_embeddings_may_have_a_rate_of_their_own(side: str) -> None:
    """All of them dropped, it makes no difference which words are read, nor which were written."""
    batch = batch_of([2, 3])
    words = getattr(batch, side)
    other = replace(batch, **{side: torch.where(words == SOURCE.pad, words, SOURCE.eos)})
    for options, same in (
        ({"embedding_dropout": 1.0}, True),
        ({"embedding_dropout": 0.0}, False),
        ({}, False),
    ):
        model = built(dropout=0.0, **options).train()
        found, wanted = model(batch).vectors, model(other).vectors
        assert found.any()
        assert torch.equal(found, wanted) == same
    assert not built(dropout=1.0, embedding_dropout=0.0).train()(batch).vectors.any()


@doubles
def test_without_teacher_forcing_the_right_words_are_read_in_evaluation_only() -> None:
    batch = batch_of([2, 3])
    other = replace(batch, targets=torch.where(batch.targets == SOURCE.pad, batch.targets, SOURCE.eos))
    for forcing, training, same in ((0.0, True, True), (0.0, False, False), (1.0, True, False)):
        model = built(teacher_forcing=forcing).train(training)
        assert torch.equal(model(batch).vectors, model(other).vectors) == same


@doubles
def test_without_a_bridge_the_decoder_starts_from_the_encoders_state() -> None:
    model = built({"cell": {"name": "lstm", "hidden_size": 6}, "layers": 2}, bridge=False, attention="none")
    _, state = model.encoder(model.embedding(torch.tensor([[5, 6, SOURCE.eos]])))
    assert len(state) == 4
    torch.testing.assert_close(model.decoder.start(state), state)
    assert not [name for name in model.state_dict() if "bridge" in name]
    with pytest.raises(UsageError, match=r"^task\.bridge: .* task\.bridge=true or net\.bidirectional=false$"):
        built(bridge=False)


def turned(line: str) -> str:
    """The words of a line from the last to the first."""
    return " ".join(reversed(line.split()))


@doubles
@each_feeding
@each_mechanism
def test_a_source_read_backwards_is_that_of_its_words_turned(mechanism: Mechanism, feeding: bool) -> None:
    """Only what is looked at has the source's own order, its end the last."""
    forth = built(attention=mechanism, input_feeding=feeding)
    back = built(attention=mechanism, input_feeding=feeding, reverse_source=True)
    assert list(back.predict(LINES)) == list(forth.predict(map(turned, LINES))) != list(forth.predict(LINES))
    places = [3, 0, 7]
    found, expected = back(batch_of(places)), forth(batch_of(places))
    assert not torch.allclose(found.vectors, expected.vectors)
    ids = [[*tokens, SOURCE.eos] for tokens in SOURCE.encode(turned(SOURCES[place]) for place in places)]
    inputs = torch.nn.utils.rnn.pad_sequence([torch.tensor(row) for row in ids], batch_first=True)
    expected = forth(replace(batch_of(places), inputs=inputs))
    torch.testing.assert_close(found.vectors, expected.vectors)
    if mechanism != "none":
        assert found.attention is not None
        assert expected.attention is not None
        for n, row in enumerate(ids):
            order = [*range(len(row) - 2, -1, -1), len(row) - 1]
            torch.testing.assert_close(found.attention[n][:, order], expected.attention[n][:, : len(row)])


@doubles
def test_what_is_seen_of_the_encoder_stands_at_the_word_it_read() -> None:
    """In its own order: the first word read is the line's last."""
    back, forth = (built(reverse_source=reverse).views()[1] for reverse in (True, False))
    assert (
        first_unit(back, "un gato ve") == first_unit(forth, "ve gato un") != first_unit(forth, "un gato ve")
    )


def first_unit(view: View, line: str) -> str:
    """What is written of a view's first unit: each piece of a line and a number."""
    ((unit, *_),) = (
        shown.values() for shown in view.show(line, {name: o.default for name, o in view.options.items()})
    )
    return unit.text


# ----------------------------------------------------------------------------------------- the search


@doubles
@each_feeding
@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_a_beam_of_one_is_a_greedy_loop(mechanism: Mechanism, feeding: bool) -> None:
    net = {"cell": GRU} if mechanism == "dot" else NET
    model = built(net, attention=mechanism, input_feeding=feeding)
    expected = [TARGET.decode(Loop(model, line).greedy(12)) for line in LINES]
    assert list(model.predict(LINES, beam_size=1)) == expected
    assert len(set(expected)) > 2


@doubles
def test_so_it_is_with_every_cell(cell: dict[str, Any]) -> None:
    model = built({"cell": cell, "bidirectional": True, "layers": 2}, input_feeding=True)
    expected = [TARGET.decode(Loop(model, line).greedy(12)) for line in LINES]
    assert list(model.predict(LINES, beam_size=1)) == expected


@doubles
@each_feeding
@pytest.mark.parametrize("beam_size", [1, 4])
@each_mechanism
def test_a_batch_gives_what_its_sentences_give_one_by_one(
    mechanism: Mechanism, beam_size: int, feeding: bool
) -> None:
    model = built(
        attention=mechanism, input_feeding=feeding, coverage_penalty=0.0 if mechanism == "none" else 0.2
    )
    answers = [
        list(model.predict(LINES, beam_size=beam_size, scores=True, batch_size=size)) for size in (1, 3, 64)
    ]
    assert answers[0] == answers[1] == answers[2]
    assert len(answers[0]) == len(LINES)
    texts = [text.split(" ||| ")[1] for text in answers[0]]
    assert len(set(texts)) > 2
    assert texts[:8] == texts[:-9:-1]  # the same sentences, read in another batch


def enumerated(
    model: Translation, line: str, longest: int, alpha: float, beta: float
) -> list[tuple[float, str]]:
    """Every translation of a line and its score by Wu et al. 2016, equation 14, best first."""
    loop = Loop(model, line)
    words = [n for n in range(len(TARGET)) if n not in (TARGET.pad, TARGET.bos, TARGET.unk, TARGET.eos)]
    found = []
    for length in range(longest + 1):
        for target in product(words, repeat=length):
            predictions, looks = loop.read(target)
            log = sum(p[token].item() for p, token in zip(predictions, [*target, TARGET.eos], strict=True))
            score = log / ((5 + length + 1) / 6) ** alpha
            if beta:
                assert looks is not None
                score += beta * sum(math.log(min(total, 1.0)) for total in looks.sum(0).tolist())
            found.append((score, TARGET.decode(target)))
    return sorted(found, reverse=True)


@doubles
@each_feeding
@pytest.mark.parametrize(("alpha", "beta"), [(0.0, 0.0), (1.0, 0.0), (0.6, 0.4)])
def test_a_wide_beam_finds_the_best_there_are(alpha: float, beta: float, feeding: bool) -> None:
    """21 words, up to 2 of them: 463 translations."""
    model = built(input_feeding=feeding, sharp=2.0)
    lines = ["la casa roja", "come", "el perro"]
    options = {"beam_size": 500, "length_penalty": alpha, "coverage_penalty": beta, "max_length": 2}
    found = [MOSES.fullmatch(answer) for answer in model.predict(lines, n_best=20, **options)]
    assert [int(match[1]) for match in found if match] == [number for number in range(3) for _ in range(20)]
    for number, line in enumerate(lines):
        expected = enumerated(model, line, 2, alpha, beta)[:20]
        matches = [match for match in found[20 * number : 20 * number + 20] if match]
        assert [match[2] for match in matches] == [text for _, text in expected]
        assert [float(match[3]) for match in matches] == pytest.approx([s for s, _ in expected], abs=1e-4)


# ------------------------------------------------------------------------------------ given translations


def scores_in(answers: Iterable[str]) -> list[float]:
    matches = [MOSES.fullmatch(answer) for answer in answers]
    assert all(matches)
    return [float(match[3]) for match in matches if match]


def log_probability(model: Translation, source: str, target: str) -> float:
    """Token by token; the end counts."""
    (ids,) = TARGET.encode([target])
    said, _ = Loop(model, source).read(ids)
    return sum(row[token].item() for row, token in zip(said, [*ids, TARGET.eos], strict=True))


@doubles
@each_feeding
@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_a_given_translation_has_the_logarithm_of_its_probability(
    mechanism: Mechanism, feeding: bool
) -> None:
    net = NET | {"bidirectional": False} if mechanism == "dot" else NET
    model = built(net, attention=mechanism, input_feeding=feeding)
    lines = [f"{source} ||| {target}" for source, target in zip(SOURCES, TARGETS, strict=True)]
    expected = [log_probability(model, *pair) for pair in zip(SOURCES, TARGETS, strict=True)]
    answers = list(model.predict(lines, mode="score", batch_size=3))
    assert scores_in(answers) == pytest.approx(expected, abs=1e-4)
    assert [answer.split(" ||| ")[:2] for answer in answers] == [
        [str(number), target] for number, target in enumerate(TARGETS)
    ]


@doubles
@each_feeding
@pytest.mark.parametrize(("alpha", "beta"), [(0.0, 0.0), (1.0, 0.0), (0.6, 0.4)])
def test_what_a_beam_finds_has_the_score_that_it_reports(alpha: float, beta: float, feeding: bool) -> None:
    model = built(input_feeding=feeding)
    penalties = {"length_penalty": alpha, "coverage_penalty": beta}
    found = list(model.predict(LINES[:8], n_best=3, beam_size=4, **penalties))
    matches = [match for match in map(MOSES.fullmatch, found) if match]
    lines = [f"{LINES[int(match[1])]}\t{match[2]}" for match in matches]
    given = list(model.predict(lines, mode="score", batch_size=5, **penalties))
    assert scores_in(given) == pytest.approx([float(match[3]) for match in matches], abs=1.01e-4)
    usual = built(input_feeding=feeding, **penalties)
    plain = list(model.predict(lines, mode="score"))
    assert (
        list(usual.predict(lines, mode="score")) == plain
    )  # the penalties of the training are not asked for


def test_several_translations_of_one_source_have_its_number() -> None:
    model = built()
    single = ["la casa\tthe house", "la casa ||| a house", "una casa ||| a house", "come |||"]
    together = ["la casa ||| the house ||| a house", "una casa\ta house", "come ||| "]
    found = list(model.predict(together, mode="score"))
    assert [answer.split(" ||| ")[:2] for answer in found] == [
        ["0", "the house"],
        ["0", "a house"],
        ["1", "a house"],
        ["2", ""],
    ]
    expected = scores_in(model.predict(single, mode="score", batch_size=1))
    assert scores_in(found) == pytest.approx(expected, abs=1.01e-4)


def test_a_line_that_is_no_pair_is_refused_in_its_turn() -> None:
    answers = built().predict(["la casa ||| the house", "la casa|||the house"], mode="score")
    assert next(answers).startswith("0 ||| the house ||| -")
    with pytest.raises(InputError) as refused:
        next(answers)
    assert str(refused.value) == (
        "the input:2: expected SOURCE ||| TARGET, or a tab between the two, got 'la casa|||the house', which "
        "has neither"
    )


def test_options_of_a_search_are_of_no_use_to_a_given_translation() -> None:
    options: dict[str, Any] = {"beam_size": 2, "n_best": 3, "max_length": 9, "scores": True}
    with pytest.raises(UsageError) as refused:
        next(built().predict(["a ||| b"], mode="score", length_penalty=1.0, read_ahead=2, **options))
    assert refused.value.problems == tuple(
        f"{name}: of no use with mode=score; leave it out" for name in options
    )


# ---------------------------------------------------------------------------------------- the filter


def test_n_best_is_in_moses_form_best_first() -> None:
    answers = list(built().predict(LINES[:5], n_best=3, batch_size=2, beam_size=2))
    matches = [MOSES.fullmatch(answer) for answer in answers]
    assert all(matches)
    assert [int(match[1]) for match in matches if match] == [n for n in range(5) for _ in range(3)]
    for number in range(5):
        of_one = [match for match in matches[3 * number : 3 * number + 3] if match]
        scores = [float(match[3]) for match in of_one]
        assert scores == sorted(scores, reverse=True)
        assert len({match[2] for match in of_one}) == 3


def test_scores_are_written_where_they_are_asked_for() -> None:
    model = built(beam_size=3)
    plain, scored = list(model.predict(LINES)), list(model.predict(LINES, scores=True))
    matches = [MOSES.fullmatch(answer) for answer in scored]
    assert [match[2] for match in matches if match] == plain
    assert [int(match[1]) for match in matches if match] == list(range(len(LINES)))
    best = list(model.predict(LINES, n_best=3))[::3]
    assert best == scored


@pytest.mark.parametrize(
    ("options", "ahead"),
    [
        ({"batch_size": 1}, 1),
        ({"batch_size": 2}, 20),
        ({"batch_size": 2, "read_ahead": 3}, 3),
        ({"batch_size": 5, "read_ahead": 1}, 1),
    ],
)
def test_it_reads_no_further_ahead_than_told(options: dict[str, int], ahead: int) -> None:
    read = 0

    def endless() -> Iterator[str]:
        nonlocal read
        while True:
            read += 1
            yield SOURCES[read % 8]

    answers = built().predict(endless(), **options)
    assert read == 0
    for wanted, expected in ((1, ahead), (ahead - 1, ahead), (1, 2 * ahead)):
        assert len(list(islice(answers, wanted))) == wanted
        assert read == expected
    assert list(built().predict([], **options)) == []


@doubles
def test_lines_of_like_length_are_translated_together_and_answered_in_order() -> None:
    model = built()
    expected = [next(iter(model.predict([line], scores=True))).split(" ||| ", 1)[1] for line in LINES]
    lengths = []
    encoder = model.encoder.register_forward_pre_hook(lambda _, given: lengths.append(given[1].tolist()))
    found = list(model.predict(LINES, scores=True, batch_size=3, read_ahead=8))
    encoder.remove()
    assert found == [f"{number} ||| {rest}" for number, rest in enumerate(expected)]
    sizes = [len(ids) + 1 for ids in SOURCE.encode(LINES)]
    read = [sorted(sizes[start : start + 8]) for start in (0, 8, 16)]
    assert lengths == [rows[start : start + 3] for rows in read for start in (0, 3, 6) if rows[start:]]


def test_a_line_of_nothing_is_answered_with_nothing_in_its_place() -> None:
    model = built(min_length=2)
    spoken = list(model.predict(["la casa", "come"], n_best=2))
    assert list(model.predict(["la casa", "", "   ", "come"]))[1:3] == ["", ""]
    assert list(model.predict(["la casa", " \t", "come"], n_best=2, batch_size=2)) == [
        *spoken[:2],
        *["1 |||  ||| 0.0000"] * 2,
        *(line.replace("1", "2", 1) for line in spoken[2:]),
    ]
    assert list(model.predict(["", ""], scores=True)) == [f"{n} |||  ||| 0.0000" for n in (0, 1)]
    assert list(model.translate(" ")) == [{"translation": Text("")}]


def test_unknown_words_are_the_unknown_word() -> None:
    model = built()
    expected = list(model.predict(["la <unk> roja"], scores=True))
    assert list(model.predict(["la zanahoria roja"], scores=True)) == expected
    assert list(model.predict(["la <eos> roja"], scores=True)) == expected
    assert list(model.predict(["la casa roja"], scores=True)) != expected


def test_the_unknown_word_is_never_written() -> None:
    model = built()
    with torch.no_grad():
        model.decoder.output.bias[[TARGET.unk, TARGET.pad, TARGET.bos]] = 100.0
    for beam_size in (1, 4):
        words = {word for line in model.predict(LINES, beam_size=beam_size) for word in line.split()}
        assert words <= set(TARGET.tokens) - {"<unk>", "<pad>", "<bos>", "<eos>"}
        assert words


@doubles
@pytest.mark.parametrize(("reverse", "liking"), [(False, 10.0), (True, 6.0)])
def test_an_unknown_word_is_replaced_by_the_word_that_was_looked_at_most(
    reverse: bool, liking: float
) -> None:
    model = built(max_length=6, reverse_source=reverse)
    with torch.no_grad():
        model.decoder.output.bias[TARGET.unk] += liking
    line = "El  gato\tnegro Xul duerme"
    source = model.source.encode([line])[0]
    assert len(source) == 5
    memory, start = model._encode(torch.tensor([[*source, SOURCE.eos]]), torch.tensor([6]))
    state, token, expected = start, TARGET.bos, []
    while len(expected) < 6:
        said, looks, state = model.decoder.step(torch.tensor([token]), memory, state)
        assert looks is not None
        said[0, [TARGET.pad, TARGET.bos]] = -torch.inf
        token = int(said[0].argmax())
        if token == TARGET.eos:
            break
        word = ["El", "gato", "negro", "Xul", "duerme"][int(looks[0, :5].argmax())]
        expected.append(word if token == TARGET.unk else TARGET.tokens[token])
    options: dict[str, Any] = {"beam_size": 1, "length_penalty": 0.0, "replace_unknown": True}
    lines = [line, "", "la casa roja duerme en la casa"]  # padding beside it
    (first, second, _) = model.predict(lines, **options)
    assert (first, second) == (" ".join(expected), "")
    assert "gato" in expected
    assert "a" in expected
    (answer,) = model.predict([line], scores=True, **options)
    assert answer.startswith(f"0 ||| {first} ||| -")


def test_only_words_that_are_aligned_are_replaced() -> None:
    with pytest.raises(UsageError) as refused:
        next(built(attention="none").predict(LINES, replace_unknown=True))
    assert str(refused.value) == (
        "replace_unknown: needs attention, and the model was trained with task.attention=none; leave it out"
    )
    pieces = Vocabulary.train(TARGETS, "bpe").to_plain()
    with pytest.raises(
        UsageError, match=r"^replace_unknown: is for words, and the model was trained on sub-"
    ):
        next(built(meta=META | {"source": pieces, "target": pieces}).predict(LINES, replace_unknown=True))


@doubles
@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("beam_size", 1),
        ("length_penalty", 0.0),
        ("coverage_penalty", 0.7),
        ("min_length", 5),
        ("max_length", 2),
        ("max_ratio", 0.1),
        ("no_repeat_ngram", 1),
    ],
)
def test_an_option_not_given_is_as_trained(option: str, value: float) -> None:
    usual = built()
    asked = list(usual.predict(LINES, scores=True, **{option: value}))
    trained = list(built(**{option: value}).predict(LINES, scores=True))
    assert asked == trained
    assert asked != list(usual.predict(LINES, scores=True))
    assert list(usual.predict(LINES, scores=True)) == list(usual.predict(LINES, scores=True))


def test_a_model_that_looks_nowhere_has_no_coverage_to_pay_for() -> None:
    model = built(attention="none")
    expected = r"^coverage_penalty: 0\.2 needs attention, and the model was trained with task\.attention=none"
    with pytest.raises(UsageError, match=expected):
        next(model.predict(LINES, coverage_penalty=0.2))
    assert list(model.predict(LINES, coverage_penalty=0.0)) == list(model.predict(LINES))


def test_lengths_and_repetitions_are_as_asked() -> None:
    model = built()
    lengths = [len(line.split()) for line in model.predict(LINES, min_length=4, max_length=5)]
    assert set(lengths) <= {4, 5}
    repeated = [line.split() for line in model.predict(LINES, min_length=6, no_repeat_ngram=1)]
    assert all(len(set(words)) == len(words) for words in repeated)
    assert any(len(set(line.split())) < len(line.split()) for line in model.predict(LINES, min_length=6))


def test_a_text_that_may_be_of_no_length_is_refused() -> None:
    with pytest.raises(UsageError, match=r"^task\.min_length: expected at most task\.max_length=12, got 13$"):
        built(min_length=13)
    with pytest.raises(UsageError, match=r"^min_length: expected at most max_length=3, got 4$"):
        list(built(min_length=4).predict(LINES, max_length=3))


# ------------------------------------------------------------------------------- pictures and samples


def test_the_alignment_is_drawn_in_a_file(tmp_path: Path) -> None:
    model, file = built(), tmp_path / "alignment.png"
    answers = list(model.predict(SOURCES, attention=str(file), min_length=2, batch_size=2))
    assert answers == list(model.predict(SOURCES, min_length=2))
    picture = image.imread(file)
    assert file.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert picture[..., :3].min() < 0.5  # something is drawn

    again = tmp_path / "first.png"
    list(model.predict(SOURCES[:1], attention=str(again), min_length=2))
    assert (image.imread(again) == picture).all()  # of the first line


@doubles
def test_the_figure_shows_where_the_decoder_looked() -> None:
    model = built(beam_size=1, min_length=3)
    batch = batch_of([0, 3])  # the shorter one is the first
    axes = model.figures(batch)["attention"].axes[0]
    words = [label.get_text() for label in axes.get_yticklabels()]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["la", "casa", "<eos>"]
    assert " ".join(words) == next(iter(model.predict(["la casa"])))
    _, looks = Loop(model, "la casa").read([TARGET.tokens.index(word) for word in words])
    assert looks is not None
    (picture,) = axes.get_images()
    torch.testing.assert_close(torch.tensor(picture.get_array()), looks[:-1].float(), rtol=1e-5, atol=1e-6)
    assert len(words) >= 3


def test_there_is_no_figure_without_attention() -> None:
    assert built(attention="none").figures(batch_of([0])) == {}


def test_samples_are_source_reference_and_translation() -> None:
    model = built(attention="none", beam_size=3)
    assert model.samples(batch_of([0, 3])) == [
        {
            "source": Text(SOURCES[n]),
            "reference": Text(TARGETS[n]),
            "translation": Text(next(iter(model.predict([SOURCES[n]])))),
        }
        for n in (0, 3)
    ]


def test_a_sample_shows_its_alignment() -> None:
    model = built(beam_size=3, min_length=2)
    samples = model.samples(batch_of([0, 3]))
    for sample, n in zip(samples, (0, 3), strict=True):
        drawing = sample["attention"]
        assert isinstance(drawing, Drawing)
        axes = drawing.draw().axes[0]
        rows, columns = axes.get_yticklabels(), axes.get_xticklabels()
        assert " ".join(word.get_text() for word in columns) == f"{SOURCES[n]} <eos>"
        assert " ".join(word.get_text() for word in rows) == sample["translation"].text
        assert SOURCES[n] in drawing.alt


def test_an_empty_translation_has_no_alignment() -> None:
    model = built(beam_size=1)
    with torch.no_grad():
        model.decoder.output.bias[model.target.eos] = 1e3
    (sample,) = model.samples(batch_of([0]))
    assert (sample["translation"], sample["attention"]) == (Text(""), Text(""))
    assert model.figures(batch_of([0])) == {}


# --------------------------------------------------------------------------------- weights that are one


@pytest.mark.parametrize(("shared", "tied"), list(product([False, True], repeat=2)))
def test_shared_and_tied_weights_are_one_object(shared: bool, tied: bool) -> None:
    both = Vocabulary.train([*SOURCES, *TARGETS], "word").to_plain()
    meta = META | {"source": both, "target": both, "shared_vocabulary": True} if shared else META
    model = built(meta=meta, tied=tied)
    assert (model.embedding.weight is model.decoder.embedding.weight) == shared
    assert (model.decoder.output.weight is model.decoder.embedding.weight) == tied
    matrices = {
        id(w) for w in (model.embedding.weight, model.decoder.embedding.weight, model.decoder.output.weight)
    }
    assert len(matrices) == 3 - shared - tied
    assert len(list(model.predict(SOURCES))) == 8


# ------------------------------------------------------------------------------------------- training


def examples(sources: list[str], targets: list[str]) -> list[Example]:
    return [
        Example([*a, SOURCE.eos], [*b, TARGET.eos], reference)
        for a, b, reference in zip(SOURCE.encode(sources), TARGET.encode(targets), targets, strict=True)
    ]


def trainer(folder: Path, epochs: int = 1) -> L.Trainer:
    return L.Trainer(
        accelerator="cpu",
        default_root_dir=folder,
        max_epochs=epochs,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        num_sanity_val_steps=0,
        check_val_every_n_epoch=60,
    )


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a model that has learnt the eight sentences by heart under Lightning's own trainer."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("nmt")
    net = {"cell": {"name": "gru", "hidden_size": 24}, "bidirectional": True}
    model = Translation(net, META, embedding_size=24, dropout=0.0)
    model.optimizer = Adam(lr=0.01)
    loader = loaded(examples(SOURCES, TARGETS), shuffle=True)
    run = trainer(folder, epochs=60)
    run.fit(model, loader, loader)
    run.save_checkpoint(folder / "model.ckpt")
    return folder / "model.ckpt"


@quiet
def test_it_learns_and_its_checkpoint_translates_without_the_data(checkpoint: Path) -> None:
    plain = torch.load(checkpoint, weights_only=True)
    assert plain["hyper_parameters"]["meta"] == META
    model = Translation.load_from_checkpoint(checkpoint, weights_only=True).eval()
    for beam_size in (1, 5):
        assert list(model.predict(SOURCES, beam_size=beam_size)) == TARGETS


@quiet
def test_validation_is_scored_greedily_and_the_test_by_the_beam(checkpoint: Path, tmp_path: Path) -> None:
    """BLEU and chrF are sacrebleu's of the predictions, on sentences that it has not quite learnt."""
    model = Translation.load_from_checkpoint(checkpoint, weights_only=True).eval()
    model.search = model.search._replace(beam_size=4, length_penalty=0.0, max_length=4)
    sources = [*SOURCES, "el gato rojo come en la casa", "una casa negra", "el perro ve un gato"]
    targets = [*TARGETS, "the red cat eats in the house", "a black house", "the dog sees a cat"]
    loader: DataLoader[Batch] = loaded(examples(sources, targets))
    run = trainer(tmp_path)
    (valid,) = run.validate(model, loader, verbose=False)
    (test,) = run.test(model, loader, verbose=False)
    for split, values, beam_size in (("valid", valid, 1), ("test", test, 4)):
        outputs = list(model.predict(sources, beam_size=beam_size))
        assert values[f"{split}/bleu"] == pytest.approx(
            BLEU().corpus_score(outputs, [targets]).score, abs=1e-4
        )
        assert values[f"{split}/chrf"] == pytest.approx(
            CHRF().corpus_score(outputs, [targets]).score, abs=1e-4
        )
        assert values[f"{split}/perplexity"] == pytest.approx(math.exp(values[f"{split}/loss"]), rel=1e-5)
        assert set(values) == {f"{split}/{name}" for name in ("loss", "perplexity", "bleu", "chrf")}
    assert valid["valid/loss"] == test["test/loss"]


@quiet
def test_each_of_several_references_counts(checkpoint: Path, tmp_path: Path) -> None:
    model = Translation.load_from_checkpoint(checkpoint, weights_only=True).eval()
    others = ["the home", "the house that is red", *TARGETS[2:]]
    pairs = examples(SOURCES, TARGETS)
    batches = [
        replace(batch, references=tuple((others[n], TARGETS[n]) for n in batch.index.tolist()))
        for batch in loaded(pairs)
    ]
    first = [replace(b, references=tuple(r[:1] for r in b.references or ())) for b in batches]
    (both,) = trainer(tmp_path).test(model, DataLoader(batches, batch_size=None), verbose=False)  # type: ignore[arg-type]
    (one,) = trainer(tmp_path).test(model, DataLoader(first, batch_size=None), verbose=False)  # type: ignore[arg-type]
    assert both["test/bleu"] == pytest.approx(100)
    assert one["test/bleu"] == pytest.approx(BLEU().corpus_score(TARGETS, [others]).score, abs=1e-4)


def test_the_best_checkpoint_is_that_of_the_highest_bleu() -> None:
    assert (Translation.monitor, Translation.mode) == ("bleu", "max")


# ----------------------------------------------------------------------------------------- embeddings


def test_one_hot_words_are_as_wide_as_their_vocabulary_and_those_written_as_told() -> None:
    model = built(embedding="one-hot", embedding_size=5, tied=False)
    assert (model.embedding.embedding_dim, model.decoder.embedding.embedding_dim) == (
        len(SOURCE),
        len(TARGET),
    )
    assert model.decoder.output.weight.shape == (len(TARGET), 5)
    assert not any("embedding" in name for name, _ in model.named_parameters())
    assert len(list(model.predict(SOURCES))) == 8
    with pytest.raises(UsageError, match=r"^task\.tied: one-hot embeddings have no matrix"):
        built(embedding="one-hot", tied=True)


@pytest.mark.parametrize("feeding", [False, True])
def test_vectors_of_either_side_may_be_of_another_width(feeding: bool, tmp_path: Path) -> None:
    one, other = tmp_path / "one.txt", tmp_path / "other.txt"
    one.write_text("casa 1 2 3\nroja 4 5 6\n")
    other.write_text("house 1 2 3 4\n")
    meta = META | {
        "source_vectors": vectors_meta(str(one), SOURCE),
        "target_vectors": vectors_meta(str(other), TARGET),
    }
    model = built(meta=meta, sharp=1.0, embedding_size=5, tied=False, input_feeding=feeding)
    assert model.embedding.weight[SOURCE.tokens.index("roja")].tolist() == [4, 5, 6]
    assert model.decoder.embedding.weight[TARGET.tokens.index("house")].tolist() == [1, 2, 3, 4]
    assert model.decoder.output.weight.shape == (len(TARGET), 5)
    assert len(list(model.predict(SOURCES))) == 8
    tied = built(meta=meta, embedding_size=5, tied=True, input_feeding=feeding)
    assert tied.decoder.output.weight.shape == (len(TARGET), 4)
    assert model.hparams["meta"]["source_vectors"] == {
        "path": None,
        "size": 3,
        "found": 2,
        "words": len(SOURCE),
    }


# ---------------------------------------------------------------------------------- several models

OTHER_NET = {"cell": {"name": "lstm", "hidden_size": 4}, "layers": 2}
OTHER = {"attention": "general", "input_feeding": True, "embedding_size": 3, "tied": False, "sharp": 3.0}


def joined(first: Translation, *others: Translation) -> Translation:
    """The first, with the others to answer with it."""
    for other in others:
        first.join(other)
    return first


def read_by_all(models: Sequence[Translation], line: str, target: Sequence[int]) -> tuple[Tensor, Tensor]:
    """The logarithm of the mean of the probabilities, and the mean of where was looked."""
    read = [Loop(model, line).read(target) for model in models]
    looks = [look for _, look in read if look is not None]
    return torch.stack([log.exp() for log, _ in read]).mean(0).log(), torch.stack(looks).mean(0)


@doubles
@pytest.mark.parametrize("count", [2, 3])
def test_a_model_joined_with_itself_is_that_model_exactly(count: int) -> None:
    options: dict[str, Any] = {"n_best": 3, "beam_size": 4, "coverage_penalty": 0.2}
    alone, several = built(), joined(*(built() for _ in range(count)))
    assert list(several.predict(LINES, **options)) == list(alone.predict(LINES, **options))
    batch = batch_of(range(8))
    found, expected = (
        model._translate(batch.inputs, batch.lengths, model.search) for model in (several, alone)
    )
    for (one, *_), (other, *_) in zip(found, expected, strict=True):
        assert (one.tokens, one.log_probability) == (other.tokens, other.log_probability)
        torch.testing.assert_close(one.attention, other.attention, rtol=0, atol=1e-15)
    assert several.loss(several(batch), batch).total.item() == pytest.approx(
        alone.loss(alone(batch), batch).total.item(), rel=1e-12
    )


@doubles
@pytest.mark.parametrize(("alpha", "beta"), [(0.0, 0.0), (0.6, 0.4)])
def test_different_models_write_by_the_mean_of_their_probabilities(alpha: float, beta: float) -> None:
    """Of another cell, width, depth, attention and feeding; 21 words, up to 2 of them: 463 translations."""
    models = [built(sharp=2.0), built(OTHER_NET, **OTHER)]
    options = {"beam_size": 500, "length_penalty": alpha, "coverage_penalty": beta, "max_length": 2}
    words = [n for n in range(len(TARGET)) if n not in (TARGET.pad, TARGET.bos, TARGET.unk, TARGET.eos)]
    lines = ["la casa roja", "come"]
    alone = list(models[0].predict(lines, n_best=20, **options))
    found = list(joined(*models).predict(lines, n_best=20, **options))
    assert found != alone
    for number, line in enumerate(lines):
        expected = []
        for target in (part for length in range(3) for part in product(words, repeat=length)):
            logs, looks = read_by_all(models, line, target)
            log = sum(row[token].item() for row, token in zip(logs, [*target, TARGET.eos], strict=True))
            score = log / ((5 + len(target) + 1) / 6) ** alpha
            score += beta * sum(math.log(min(total, 1.0)) for total in looks.sum(0).tolist())
            expected.append((score, TARGET.decode(target)))
        matches = [MOSES.fullmatch(answer) for answer in found[20 * number : 20 * number + 20]]
        best = sorted(expected, reverse=True)[:20]
        assert [match[2] for match in matches if match] == [text for _, text in best]
        assert [float(match[3]) for match in matches if match] == pytest.approx(
            [score for score, _ in best], abs=1e-4
        )


@doubles
def test_the_loss_of_several_is_that_of_the_mean_of_their_probabilities() -> None:
    models, places = [built(sharp=2.0, label_smoothing=0.3), built(OTHER_NET, **OTHER)], [3, 0, 7, 6]
    expected = 0.0
    for place in places:
        (words,) = TARGET.encode([TARGETS[place]])
        logs, _ = read_by_all(models, SOURCES[place], words)
        expected -= logs[range(len(words) + 1), [*words, TARGET.eos]].sum().item()
    batch, whole = batch_of(places), joined(*models)
    loss = whole.loss(whole(batch), batch)
    assert loss.total.item() == pytest.approx(expected, rel=1e-6)
    assert loss.count.item() == 7 + 1 + 2 + 1 + 2 + 1 + 8 + 1


@doubles
def test_the_attention_of_several_is_the_mean_over_those_that_have_any() -> None:
    batch = batch_of([6])
    for mechanisms, seen in ((("general", "additive", "none"), 2), (("none", "additive"), 0)):
        models = [built(NET | {"layers": n + 1}, attention=name) for n, name in enumerate(mechanisms)]
        whole = joined(*models)
        search = whole.search._replace(min_length=3)
        ((best, *_),) = whole._translate(batch.inputs, batch.lengths, search)
        if not seen:
            assert best.attention is None
            continue
        assert best.attention is not None
        _, looks = read_by_all(models, SOURCES[6], best.tokens)
        torch.testing.assert_close(best.attention, looks[:-1])


@doubles
def test_each_reads_the_source_with_its_own_vocabulary() -> None:
    """Of another level too, so that its places are others, and its attention is not shown."""
    for level in ("word", "bpe"):
        other = Vocabulary.train(["zorro gato", *SOURCES[:3]], level, 40 if level == "bpe" else None)
        models = [built(sharp=2.0), built(OTHER_NET, META | {"source": other.to_plain()}, **OTHER)]
        whole, line = joined(*models), "el zorro ve la roja"
        search = whole.search._replace(beam_size=1)
        ((best,),) = whole._answer([line], 1, search)
        target: list[int] = []
        while len(target) < 12:
            read = [Loop(model, line).read(target)[0][-1].exp() for model in models]
            scores = torch.stack(read).mean(0)
            scores[[TARGET.pad, TARGET.bos, TARGET.unk]] = 0
            if scores.argmax() == TARGET.eos:
                break
            target.append(int(scores.argmax()))
        assert best.tokens == target
        assert best.attention is not None
        assert target
        _, look = Loop(models[0], line).read(target)
        assert look is not None
        torch.testing.assert_close(best.attention, look[:-1])
        batch = batch_of([0])
        with pytest.raises(UsageError, match=r"^data\.test: expected runs of one source vocabulary, .* got "):
            whole.loss(whole(batch), batch)
        with pytest.raises(UsageError, match=r"^data\.test: .* of level word.*; translate with rnnx predict"):
            whole.samples(batch)


@doubles
@pytest.mark.parametrize(("alpha", "beta"), [(0.0, 0.0), (0.6, 0.4)])
def test_a_given_translation_is_scored_by_the_mean_of_the_probabilities(alpha: float, beta: float) -> None:
    """The second has a vocabulary of sub-words for the source, the third attention over the same words."""
    other = Vocabulary.train(["zorro gato", *SOURCES[:3]], "bpe", 40)
    models = [
        built(sharp=2.0),
        built(OTHER_NET, META | {"source": other.to_plain()}, **OTHER),
        built(attention="general"),
    ]
    lines = ["el zorro ve la roja ||| the fox ||| ", "come\tthe house"]
    expected = []
    for source, target in (
        ("el zorro ve la roja", "the fox"),
        ("el zorro ve la roja", ""),
        ("come", "the house"),
    ):
        (ids,) = TARGET.encode([target])
        read = [Loop(model, source).read(ids)[0].exp() for model in models]
        logs = torch.stack(read).mean(0).log()
        _, looks = read_by_all([models[0], models[2]], source, ids)
        log = sum(row[token].item() for row, token in zip(logs, [*ids, TARGET.eos], strict=True))
        score = log / ((5 + len(ids) + 1) / 6) ** alpha
        expected.append(score + beta * sum(math.log(min(total, 1.0)) for total in looks.sum(0).tolist()))
    penalties = {"length_penalty": alpha, "coverage_penalty": beta}
    answers = list(joined(*models).predict(lines, mode="score", batch_size=2, **penalties))
    assert [answer[: answer.index("|||")] for answer in answers] == ["0 ", "0 ", "1 "]
    assert scores_in(answers) == pytest.approx(expected, abs=1.01e-4)


def test_models_that_write_other_tokens_are_not_joined() -> None:
    fewer = Vocabulary.train(TARGETS[:2], "word")
    with pytest.raises(UsageError) as raised:
        built().join(built(meta=META | {"target": fewer.to_plain()}))
    assert str(raised.value) == (
        f"expected one target vocabulary, got {len(TARGET)} tokens of level word and 7 of level word; "
        "train both on the same data"
    )
