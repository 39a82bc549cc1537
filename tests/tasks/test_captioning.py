"""Captioning against plain loops over its parts, hand calculation, and the equations of Xu et al. 2015."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, get_args

import lightning as L
import numpy as np
import pytest
import torch
from matplotlib import image
from PIL import Image
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import DataLoader

from rnnx.core.batch import Batch
from rnnx.core.data import Data, Meta, Split
from rnnx.core.errors import InputError, UsageError
from rnnx.core.exhibits.exhibit import Drawing, Text
from rnnx.core.running.optimizers import Adam
from rnnx.core.testing.kit import problem
from rnnx.core.testing.tasks import CHECKS
from rnnx.tasks.captioning import Captioning
from rnnx.tasks.parts.nets.attention import Mechanism
from rnnx.tasks.parts.pictures.film_strip import film_strip
from rnnx.tasks.parts.scores.text_scores import Captions
from rnnx.tasks.parts.texts.vocabulary import Vocabulary

TEXTS = [("a red square", "one square"), ("a disc",), ("a blue disc left of a red square",), ("a square",)]
WORDS = Vocabulary.train([text for texts in TEXTS for text in texts], "word")
COLOURS, HEIGHT, WIDTH = 3, 20, 12
PICTURES: Meta = {
    "vocabulary": WORDS.to_plain(),
    "vectors": None,
    "shape": [COLOURS, HEIGHT, WIDTH],
    "places": ["", "", "", ""],
}
FEATURES: Meta = {
    "vocabulary": WORDS.to_plain(),
    "vectors": None,
    "shape": [5],
    "places": ["a.npy", "b.npy", "c.npy", "d.npy"],
}
PLACES = [3, 1, 4, 2]  # of the features of each image
GRU = {"cell": {"name": "gru", "hidden_size": 6}}
MECHANISMS: tuple[Mechanism, ...] = get_args(Mechanism)
MOSES = re.compile(r"(\d+) \|\|\| (.*) \|\|\| (-?\d+\.\d{4})")

doubles = pytest.mark.usefixtures("doubles")
quiet = pytest.mark.filterwarnings(
    "ignore:.*does not have many workers",
    "ignore:.*LeafSpec.*:FutureWarning",  # lightning's use of torch
    "ignore:GPU available but not used",
    "ignore:.*logging interval",
)
each_kind = pytest.mark.parametrize("meta", [PICTURES, FEATURES], ids=["pictures", "features"])


def built(meta: Meta = PICTURES, net: dict[str, Any] = GRU, sharp: float = 2.0, **options: Any) -> Captioning:
    """A model that says something: weights larger than at the start of a training, from a seed."""
    torch.manual_seed(1)
    options = {"embedding_size": 7, "place_size": 8, "channels": 4, "dropout": 0.0, "max_length": 9} | options
    model = Captioning(net, meta, **options)
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(sharp)
        model.decoder.output.bias[WORDS.eos] -= 2.0  # so that no caption ends at once
    return model.eval()


def images(meta: Meta, number: int) -> list[Tensor]:
    """Pictures ``(1, C, H, W)`` of bytes with a bright piece each, or features ``(S, D)``; at random."""
    generator = torch.Generator().manual_seed(3)
    if len(meta["shape"]) == 1:
        sizes = [PLACES[n % 4] for n in range(number)]
        return [torch.randn(size, *meta["shape"], generator=generator) for size in sizes]
    pictures = torch.randint(50, (number, 1, *meta["shape"]), generator=generator, dtype=torch.uint8)
    for n, picture in enumerate(pictures):
        picture[0, n % COLOURS, 3 * n : 3 * n + 8, 2 * n : 2 * n + 5] += 200
    return list(pictures)


def batch_of(meta: Meta = PICTURES, texts: Sequence[tuple[str, ...]] = TEXTS) -> Batch:
    """The images with their first captions."""
    found = images(meta, len(texts))
    rows = [torch.tensor([*ids, WORDS.eos]) for ids in WORDS.encode([first for first, *_ in texts])]
    return Batch(
        pad_sequence(found, batch_first=True),
        torch.tensor([len(row) for row in found]),
        pad_sequence(rows, batch_first=True, padding_value=WORDS.pad),
        torch.arange(len(texts)),
        torch.tensor([len(row) for row in rows]),
        references=tuple(texts),
    )


class Loop:
    """One image, unpadded, read token by token by the model's decoder."""

    def __init__(self, model: Captioning, found: Tensor) -> None:
        self.model = model
        values = found.unsqueeze(0) if model.eye is None else model.eye(found.to(torch.get_default_dtype()))
        self.memory = model.decoder.memory(values, torch.ones(values.shape[:2], dtype=torch.bool))
        self.first = model.decoder.start((values.mean(1),))  # Xu et al., 3.1.2

    def read(self, target: Sequence[int]) -> tuple[Tensor, Tensor | None]:
        """The log-probabilities before each token of a target and after the last, and what was looked at."""
        state, predictions, looks = self.first, [], []
        with torch.no_grad():
            for token in (WORDS.bos, *target):
                prediction, look, state = self.model.decoder.step(torch.tensor([token]), self.memory, state)
                predictions.append(prediction[0])
                looks.append(look)
        seen = [look for look in looks if look is not None]
        return torch.stack(predictions), torch.cat(seen) if seen else None


def targets() -> list[list[int]]:
    """The tokens of the first captions, the end included."""
    return [[*ids, WORDS.eos] for ids in WORDS.encode([first for first, *_ in TEXTS])]


# --------------------------------------------------------------------------------------------- the loss


@doubles
@each_kind
@pytest.mark.parametrize("feeding", [False, True], ids=["", "feeding"])
@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_the_loss_is_the_cross_entropy_of_the_real_words(
    meta: Meta, mechanism: Mechanism, feeding: bool
) -> None:
    """Dot wants places as wide as the decoder."""
    net = (
        {"cell": {"name": "gru", "hidden_size": 8 if meta is PICTURES else 5}} if mechanism == "dot" else GRU
    )
    model = built(meta, net, attention=mechanism, input_feeding=feeding)
    expected = 0.0
    for found, target in zip(images(meta, 4), targets(), strict=True):
        said, _ = Loop(model, found).read(target[:-1])
        expected -= said[range(len(target)), target].sum().item()
    batch = batch_of(meta)
    loss = model.loss(model(batch), batch)
    assert loss.total.item() == pytest.approx(expected, rel=1e-6)
    assert loss.count.item() == 4 + 3 + 9 + 3


@doubles
def test_it_is_so_for_every_cell(cell: dict[str, Any]) -> None:
    model = built(FEATURES, {"cell": cell, "layers": 2})
    expected = 0.0
    for found, target in zip(images(FEATURES, 4), targets(), strict=True):
        said, _ = Loop(model, found).read(target[:-1])
        expected -= said[range(len(target)), target].sum().item()
    batch = batch_of(FEATURES)
    assert model.loss(model(batch), batch).total.item() == pytest.approx(expected, rel=1e-6)


@doubles
@each_kind
def test_equation_14_is_added_in_training_and_only_there(meta: Meta) -> None:
    """The sum over captions and places of (1 - the attention of all words, the end included) squared."""
    expected = 0.0
    plain, doubly = (built(meta, doubly_stochastic=weight, label_smoothing=0.0) for weight in (0.0, 0.7))
    for found, target in zip(images(meta, 4), targets(), strict=True):
        _, seen = Loop(plain, found).read(target[:-1])
        assert seen is not None
        for place in range(seen.shape[1]):
            expected += (1 - sum(seen[step, place].item() for step in range(len(target)))) ** 2
    batch = batch_of(meta)
    usual = plain.loss(plain(batch), batch)
    assert doubly.loss(doubly(batch), batch).total.item() == usual.total.item()
    assert plain.train().loss(plain(batch), batch).total.item() == pytest.approx(usual.total.item())
    trained = doubly.train().loss(doubly(batch), batch)
    assert trained.total.item() - usual.total.item() == pytest.approx(0.7 * expected)
    assert trained.count == usual.count
    assert expected > 0.5


def test_equation_14_has_the_weight_of_the_paper_unless_said_otherwise() -> None:
    totals = []
    batch = batch_of()
    for options in ({}, {"doubly_stochastic": 1.0}, {"doubly_stochastic": 0.5}):
        model = built(**options).train()
        totals.append(model.loss(model(batch), batch).total.item())
    assert totals[0] == totals[1] != totals[2]
    none = built(attention="none").train()
    assert none.loss(none(batch), batch).total.isfinite()
    built(attention="none", doubly_stochastic=0.0)
    problem = r"^task\.doubly_stochastic: 0\.5 needs attention, and task\.attention is none; set it to 0$"
    with pytest.raises(UsageError, match=problem):
        built(attention="none", doubly_stochastic=0.5)


def test_a_net_in_two_directions_is_refused() -> None:
    with pytest.raises(UsageError, match=r"^net\.bidirectional: task 'captioning' has a decoder only"):
        built(net=GRU | {"bidirectional": True})


@doubles
def test_labels_are_smoothed_in_training_and_only_there() -> None:
    eps = 0.3
    model = built(FEATURES, label_smoothing=eps, doubly_stochastic=0.0)
    plain = smoothed = 0.0
    for found, target in zip(images(FEATURES, 4), targets(), strict=True):
        said, _ = Loop(model, found).read(target[:-1])
        for costs, word in zip(-said, target, strict=True):
            plain += costs[word].item()
            smoothed += (1 - eps) * costs[word].item() + eps * costs.mean().item()
    batch = batch_of(FEATURES)
    assert model.loss(model(batch), batch).total.item() == pytest.approx(plain)
    model.train()
    assert model.loss(model(batch), batch).total.item() == pytest.approx(smoothed)


@doubles
def test_dropout_is_on_places_and_words_and_only_in_training() -> None:
    """All dropped, what words are predicted from is 0."""
    model = built(dropout=1.0)
    seen: list[Tensor] = []
    model.dropout.register_forward_hook(lambda module, given, places: seen.append(places))
    assert not model.train()(batch_of()).vectors.any()
    assert [places.abs().max().item() for places in seen] == [0.0]
    assert model.eval()(batch_of()).vectors.any()


def test_without_teacher_forcing_the_right_words_are_read_in_evaluation_only() -> None:
    batch = batch_of()
    other = replace(batch, targets=batch.targets.where(batch.targets == WORDS.pad, WORDS.eos))
    for forcing, training, same in ((0.0, True, True), (0.0, False, False), (1.0, True, False)):
        model = built(teacher_forcing=forcing).train(training)
        assert torch.equal(model(batch).vectors, model(other).vectors) == same


# ----------------------------------------------------------------------------------------- the search


@doubles
@each_kind
@pytest.mark.parametrize("mechanism", ["additive", "none"])
def test_a_beam_of_one_is_a_greedy_loop(meta: Meta, mechanism: Mechanism, tmp_path: Path) -> None:
    model = built(meta, attention=mechanism, sharp=4.0)
    expected = []
    for found in images(meta, 4):
        target: list[int] = []
        while len(target) < 9:
            scores = Loop(model, found).read(target)[0][-1]
            scores[[WORDS.pad, WORDS.bos, WORDS.unk]] = -math.inf
            if scores.argmax() == WORDS.eos:
                break
            target.append(int(scores.argmax()))
        expected.append(WORDS.decode(target))
    assert list(model.predict(saved(meta, tmp_path), beam_size=1)) == expected
    assert len(set(expected)) > 1


def saved(meta: Meta, folder: Path) -> list[str]:
    """The images as files."""
    paths = []
    for n, found in enumerate(images(meta, 4)):
        if len(meta["shape"]) == 1:
            np.save(folder / f"{n}.npy", found.numpy())
            paths.append(f"{folder}/{n}.npy")
        else:
            Image.fromarray(found[0].permute(1, 2, 0).numpy()).save(folder / f"{n}.png")
            paths.append(f"{folder}/{n}.png")
    return paths


@doubles
@each_kind
def test_a_batch_gives_what_its_images_give_one_by_one(meta: Meta, tmp_path: Path) -> None:
    model, lines = built(meta, sharp=4.0), saved(meta, tmp_path) * 2
    answers = [list(model.predict(lines, scores=True, batch_size=size)) for size in (1, 3, 64)]
    assert answers[0] == answers[1] == answers[2]
    matches = [MOSES.fullmatch(answer) for answer in answers[0]]
    assert [int(match[1]) for match in matches if match] == list(range(8))
    assert len({match[2] for match in matches if match}) > 1
    assert [match[2] for match in matches if match] == list(model.predict(lines))


def test_a_caption_that_may_be_of_no_length_is_refused() -> None:
    with pytest.raises(UsageError, match=r"^task\.min_length: expected at most task\.max_length=9, got 10$"):
        built(min_length=10)
    with pytest.raises(UsageError, match=r"^min_length: expected at most max_length=3, got 4$"):
        list(built(min_length=4).predict([], max_length=3))


@doubles
@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("beam_size", 1),
        ("length_penalty", 0.0),
        ("min_length", 5),
        ("max_length", 2),
        ("no_repeat_ngram", 1),
    ],
)
def test_an_option_not_given_is_as_trained(option: str, value: float, tmp_path: Path) -> None:
    lines = saved(PICTURES, tmp_path)
    usual = built(sharp=4.0)
    asked = list(usual.predict(lines, scores=True, **{option: value}))
    assert asked == list(built(sharp=4.0, **{option: value}).predict(lines, scores=True))
    assert asked != list(usual.predict(lines, scores=True))


def test_n_best_is_in_moses_form_best_first(tmp_path: Path) -> None:
    answers = list(built().predict(saved(PICTURES, tmp_path), n_best=3, beam_size=2, batch_size=3))
    matches = [match for match in map(MOSES.fullmatch, answers) if match]
    assert [int(match[1]) for match in matches] == [n for n in range(4) for _ in range(3)]
    for number in range(4):
        scores = [float(match[3]) for match in matches[3 * number : 3 * number + 3]]
        assert scores == sorted(scores, reverse=True)


# ---------------------------------------------------------------------------------------- the filter


def test_it_reads_no_more_than_a_batch_ahead(tmp_path: Path) -> None:
    lines, read = saved(PICTURES, tmp_path), 0

    def endless() -> Iterator[str]:
        nonlocal read
        while True:
            read += 1
            yield lines[read % 4]

    answers = built().predict(endless(), batch_size=3)
    assert read == 0
    for wanted, expected in ((1, 3), (2, 3), (1, 6)):
        assert len(list(islice(answers, wanted))) == wanted
        assert read == expected
    assert list(built().predict([])) == []


def test_a_photograph_of_any_size_is_read(tmp_path: Path) -> None:
    """The middle of it, in the size of training."""
    model = built(sharp=4.0)
    (small, *_) = saved(PICTURES, tmp_path)
    with Image.open(small) as picture:
        picture.resize((WIDTH * 3, HEIGHT * 3), Image.Resampling.NEAREST).save(tmp_path / "large.bmp")
    found = model._read(f"{tmp_path}/large.bmp")
    assert found.shape == (1, COLOURS, HEIGHT, WIDTH)
    assert (found.float() - images(PICTURES, 1)[0].float()).abs().mean() < 15
    assert list(model.predict([f"{tmp_path}/large.bmp"]))


def test_what_is_no_such_image_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.ones((9, 4), np.float32))
    (tmp_path / "a.png").write_bytes(b"no image")
    features, pictures = built(FEATURES), built(PICTURES)
    for model, line, expected in [
        (features, "", "expected the path of an image, got an empty line"),
        (features, f"{tmp_path}/a.npy", f"{tmp_path}/a.npy: expected 5 features a place, got 4"),
        (features, f"{tmp_path}/b.npy", f"{tmp_path}/b.npy: expected a NumPy file of features"),
        (pictures, "", "expected the path of an image, got an empty line"),
        (pictures, f"{tmp_path}/a.png", f"{tmp_path}/a.png: expected an image, and it does not decode"),
        (pictures, f"{tmp_path}/b.png", f"{tmp_path}/b.png: expected an image, and there is no such file"),
        (pictures, "data:image/png;base64,?", "data:image/png;base64,?...: expected an image in base64"),
    ]:
        with pytest.raises(InputError) as caught:
            next(model.predict([line]))
        assert str(caught.value).startswith(f"the input:1: {expected}")
    with pytest.raises(InputError, match=r"^the input:3: "):
        list(pictures.predict([*saved(PICTURES, tmp_path)[:2], ""], batch_size=2))


def test_images_before_one_that_is_refused_are_captioned(tmp_path: Path) -> None:
    for name in "ab":
        np.save(tmp_path / f"{name}.npy", np.ones((9, 5), np.float32))
    model = built(FEATURES)
    lines = [f"{tmp_path}/{name}.npy" for name in "abcb"]
    answers = model.predict(lines, batch_size=8)
    assert list(islice(answers, 2)) == list(model.predict(lines[:2]))
    with pytest.raises(InputError, match=r"^the input:3: .*/c.npy: expected a NumPy file of features"):
        next(answers)


# ------------------------------------------------------------------------------- pictures and samples


@doubles
def test_samples_are_what_predict_reads_and_says() -> None:
    model, batch = built(sharp=4.0), batch_of()
    samples = model.samples(batch)
    assert [sample["references"].text for sample in samples] == [" | ".join(texts) for texts in TEXTS]
    assert [sample["image"].text for sample in samples] == [film_strip(row.numpy()) for row in batch.inputs]
    assert [sample["image"].url for sample in samples] == [sample["image"].text for sample in samples]  # type: ignore[attr-defined]
    captions = [sample["caption"].text for sample in samples]
    assert list(model.predict([sample["image"].text for sample in samples])) == captions
    assert len(set(captions)) > 1
    for sample, caption in zip(samples, captions, strict=True):
        drawing = sample["attention"]
        assert isinstance(drawing, Drawing)
        assert " ".join(axes.get_title() for axes in drawing.draw().axes[1:]) == caption
        assert caption in drawing.alt


@doubles
def test_a_sample_lies_where_its_place_in_the_split_says() -> None:
    batch = batch_of(FEATURES)
    swapped = Batch(
        batch.inputs,
        batch.lengths,
        batch.targets,
        torch.tensor([2, 0, 3, 1]),
        batch.target_lengths,
        references=batch.references,
    )
    samples = built(FEATURES).samples(swapped)
    assert [list(sample) for sample in samples] == [["image", "references", "caption"]] * 4
    assert [sample["image"] for sample in samples] == [Text(f"{name}.npy") for name in "cadb"]


@doubles
def test_the_figure_shows_where_the_decoder_looked_word_by_word() -> None:
    model, batch = built(beam_size=1, min_length=3, sharp=4.0), batch_of()
    figure = model.figures(batch)["attention"]
    words = [axes.get_title() for axes in figure.axes[1:]]
    assert " ".join(words) == model.samples(batch)[0]["caption"].text
    shown = np.asarray(figure.axes[0].get_images()[0].get_array())
    assert (shown == batch.inputs[0, 0].permute(1, 2, 0).numpy()).all()

    _, looks = Loop(model, batch.inputs[0]).read([WORDS.tokens.index(word) for word in words])
    assert looks is not None
    assert model.eye is not None
    assert model.eye.grid == (5, 3)
    for axes, look in zip(figure.axes[1:], looks, strict=False):
        veil = torch.tensor(np.asarray(axes.get_images()[1].get_alpha()))
        grid = look.reshape(5, 3)
        brightest = divmod(int(veil.argmin()), WIDTH)
        place = (brightest[0] * 5 // HEIGHT, brightest[1] * 3 // WIDTH)
        assert grid[place] == pytest.approx(grid.max().item())


def test_there_is_no_figure_without_attention_or_without_a_picture() -> None:
    assert built(attention="none").figures(batch_of()) == {}
    assert built(FEATURES).figures(batch_of(FEATURES)) == {}


def test_the_attention_is_drawn_in_a_file(tmp_path: Path) -> None:
    model, lines = built(sharp=4.0), saved(PICTURES, tmp_path)
    file, again = tmp_path / "attention.png", tmp_path / "first.png"
    answers = list(model.predict(lines, attention=str(file), min_length=2, batch_size=2))
    assert answers == list(model.predict(lines, min_length=2))
    assert file.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    list(model.predict(lines[:1], attention=str(again), min_length=2))
    assert (image.imread(again) == image.imread(file)).all()  # of the first line
    with pytest.raises(UsageError, match=r"^attention: the model reads features"):
        next(built(FEATURES).predict(["a.npy"], attention=str(file)))
    with pytest.raises(UsageError, match=r"^attention: the model was trained with task\.attention=none"):
        next(built(attention="none").predict(lines, attention=str(file)))


# ------------------------------------------------------------------------------------------- metrics


@doubles
def test_validation_is_scored_greedily_and_the_test_by_the_beam(tmp_path: Path) -> None:
    model, batch, lines = built(beam_size=4, sharp=4.0), batch_of(), saved(PICTURES, tmp_path)
    found = {}
    for split, beam_size in (("valid", 1), ("test", 4)):
        metrics = model.metrics(split)  # type: ignore[arg-type]
        output = model(batch)
        loss = model.loss(output, batch)
        model.observe(metrics, batch, output, loss, split)  # type: ignore[arg-type]
        expected = Captions()
        expected.update(batch.index, list(model.predict(lines, beam_size=beam_size)), tuple(TEXTS))
        found[split] = metrics["text"].compute()
        assert found[split] == expected.compute()
        assert metrics["perplexity"].compute().item() == pytest.approx(
            math.exp(loss.total.item() / loss.count.item())
        )
    assert found["valid"] != found["test"]
    assert list(found["test"]) == ["bleu_1", "bleu_2", "bleu_3", "bleu_4", "rouge_l", "cider", "exact"]
    assert (Captioning.monitor, Captioning.mode) == ("cider", "max")


# ----------------------------------------------------------------------------------------- backbones


def test_a_backbone_reads_the_pictures(tmp_path: Path) -> None:
    """Its weights are in the checkpoint; frozen they stay, tuned they learn."""
    from transformers import ResNetConfig, ResNetModel

    ResNetModel(
        ResNetConfig(embedding_size=4, hidden_sizes=[4, 6], depths=[1, 1], layer_type="basic")
    ).save_pretrained(tmp_path)
    batch = batch_of()
    for frozen in (True, False):
        model = built(backbone=str(tmp_path), backbone_frozen=frozen).train()
        assert model.eye is not None
        assert model.eye.size == 6
        assert any(name.startswith("eye.model.") for name in model.state_dict())
        found = model.loss(model(batch), batch)
        found.total.backward()
        learning = [weight.grad is not None for weight in model.eye.parameters()]
        assert any(learning) != frozen
        assert all(weight.grad is not None for weight in model.decoder.parameters())
    expected = model.eye(batch.inputs[:, 0].float()).mean(1)
    memory, start = model._see(batch.inputs, batch.lengths)
    torch.testing.assert_close(start, model.decoder.start((expected,)))
    assert memory.mask.all()
    with pytest.raises(UsageError, match=r"^task\.backbone: the data are features already; leave it out$"):
        built(FEATURES, backbone=str(tmp_path))


# ------------------------------------------------------------------------------------------ training


SCENES = [
    (colour, column, f"a {colour} square on the {side}")
    for colour in ("red", "blue")
    for column, side in ((1, "left"), (9, "right"))
]


@dataclass(kw_only=True, eq=False)
class Squares(Data):
    """A square, red or blue, on the left or on the right; features are the same pictures, cut up.

    Args:
        features: Whether there are features.
    """

    features: bool = False

    def prepare(self) -> None:
        pass

    @property
    def meta(self) -> Meta:
        words = Vocabulary.train([text for *_, text in SCENES], "word")
        shape = [3 * 16] if self.features else [3, 8, 16]
        return {
            "vocabulary": words.to_plain(),
            "vectors": None,
            "shape": shape,
            "places": [self._place(n) for n in range(12)],
        }

    def loader(self, split: Split) -> DataLoader[Batch]:
        return DataLoader(self, batch_size=4, shuffle=split == "train", collate_fn=self.batch)  # type: ignore[arg-type, type-var]

    def __len__(self) -> int:
        return 12

    def __getitem__(self, number: int) -> int:
        return number

    def batch(self, numbers: list[int]) -> Batch:
        words = Vocabulary.from_plain(self.meta["vocabulary"])
        found, texts = [], []
        for number in numbers:
            picture, text = self.drawn(number)
            found.append(self._cut(picture) if self.features else picture)
            texts.append(text)
        rows = [torch.tensor([*ids, words.eos]) for ids in words.encode(texts)]
        return Batch(
            pad_sequence(found, batch_first=True),
            torch.tensor([len(row) for row in found]),
            pad_sequence(rows, batch_first=True, padding_value=words.pad),
            torch.tensor(numbers),
            torch.tensor([len(row) for row in rows]),
            references=tuple((text, f"there is {text}") for text in texts),
        )

    def drawn(self, number: int) -> tuple[Tensor, str]:
        colour, column, text = SCENES[number % 4]
        picture = torch.zeros(1, 3, 8, 16, dtype=torch.uint8)
        picture[0, 0 if colour == "red" else 2, 2:6, column : column + 5] = 200 + number
        return picture, text

    def _cut(self, picture: Tensor) -> Tensor:
        """Places of 4 x 4 pixels, and where they are."""
        pieces = picture[0].unfold(1, 4, 4).unfold(2, 4, 4).permute(1, 2, 0, 3, 4).reshape(8, -1)
        where = torch.eye(8).repeat_interleave(6, 1)
        return pieces.to(torch.get_default_dtype()) / 255 + where

    def _place(self, number: int) -> str:
        return self.files[number] if self.features else ""

    files: Any = ()


@quiet
@each_kind
def test_it_learns_and_its_checkpoint_captions_without_the_data(meta: Meta, tmp_path: Path) -> None:
    torch.manual_seed(0)
    data = Squares(features=meta is FEATURES, files=[str(tmp_path / f"{n}.npy") for n in range(12)])
    net = {"cell": {"name": "gru", "hidden_size": 16}}
    model = Captioning(net, data.meta, embedding_size=16, place_size=16, channels=8, dropout=0.0)
    model.optimizer = Adam(lr=0.01)
    run = L.Trainer(
        accelerator="cpu",
        default_root_dir=tmp_path,
        max_epochs=60,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        num_sanity_val_steps=0,
        check_val_every_n_epoch=60,
    )
    run.fit(model, data.loader("train"), data.loader("valid"))
    assert run.callback_metrics["valid/exact"] == 100
    assert run.callback_metrics["valid/cider"] > 5
    run.save_checkpoint(tmp_path / "model.ckpt")
    plain = torch.load(tmp_path / "model.ckpt", weights_only=True)
    assert plain["hyper_parameters"]["meta"] == data.meta
    again = Captioning.load_from_checkpoint(tmp_path / "model.ckpt", weights_only=True).eval()
    batch = data.batch(list(range(12)))
    for n, row in enumerate(batch.inputs):
        np.save(tmp_path / f"{n}.npy", row.numpy())
    lines = data.files if data.features else [film_strip(row.numpy()) for row in batch.inputs]
    assert list(again.predict(lines)) == [SCENES[n % 4][2] for n in range(12)]


@pytest.fixture
def checked(request: pytest.FixtureRequest, tmp_path: Path) -> Squares:
    """Data of either kind, whose test examples lie in files where they are features."""
    data = Squares(features=request.param, files=[f"{tmp_path}/{n}.npy" for n in range(12)])
    for n in range(12 if request.param else 0):
        np.save(tmp_path / f"{n}.npy", data.batch([n]).inputs[0].numpy())
    return data


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("checked", [True], ids=["features"], indirect=True)
def test_it_conforms_with_features_too(check: Any, checked: Squares) -> None:
    assert problem(check, Captioning, checked) is None


# ---------------------------------------------------------------------------------- several models


@doubles
@each_kind
def test_several_write_by_the_mean_of_their_probabilities(meta: Meta) -> None:
    """Greedily, word by word; the loss, and where was looked, are of the mean too."""
    net = {"cell": {"name": "lstm", "hidden_size": 4}, "layers": 2}
    models = [built(meta), built(meta, net, attention="additive", input_feeding=True, sharp=3.0)]
    alone, batch = Loop(models[0], images(meta, 4)[0]), batch_of(meta)
    models[0].join(models[1])
    loss, expected = models[0].loss(models[0](batch), batch), 0.0
    found = models[0]._captions(batch.inputs, batch.lengths, models[0].search._replace(beam_size=1))
    for picture, words, (best,) in zip(images(meta, 4), targets(), found, strict=True):
        loops = [Loop(model, picture) for model in models]

        def read(target: list[int], loops: list[Loop] = loops) -> tuple[Tensor, Tensor]:
            shares, looks = zip(*(loop.read(target) for loop in loops), strict=True)
            return torch.stack(shares).exp().mean(0), torch.stack(looks).mean(0)

        expected -= read(words[:-1])[0][range(len(words)), words].log().sum().item()
        target: list[int] = []
        while len(target) < 9:
            scores = read(target)[0][-1]
            scores[[WORDS.pad, WORDS.bos, WORDS.unk]] = 0
            if scores.argmax() == WORDS.eos:
                break
            target.append(int(scores.argmax()))
        assert best.tokens == target
        assert best.attention is not None
        looks = read(target)[1][: len(target)]
        torch.testing.assert_close(best.attention[:, : looks.shape[1]], looks)
    assert loss.total.item() == pytest.approx(expected, rel=1e-6)
    assert not torch.allclose(alone.read([])[0], read([])[0].log())


def test_models_of_other_words_or_images_are_not_joined() -> None:
    other = Vocabulary.train(["a dog"], "word")
    with pytest.raises(UsageError, match=r"^expected one vocabulary, got .* and 6 of level word; train both"):
        built().join(built(PICTURES | {"vocabulary": other.to_plain()}))
    with pytest.raises(
        UsageError, match=r"^expected images or features of one shape, got \(3, .* and \(5,\);"
    ):
        built().join(built(FEATURES))
