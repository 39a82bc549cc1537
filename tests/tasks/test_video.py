"""The video task against hand calculation and against loops over the frames."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader

from rnnx.core.batch import Batch
from rnnx.core.errors import InputError, UsageError
from rnnx.core.exhibits.exhibit import Drawing, Picture
from rnnx.core.experiment import Experiment
from rnnx.core.running.optimizers import Adam
from rnnx.core.running.result import Result
from rnnx.tasks.data.video.toy import Toy
from rnnx.tasks.video import FrameLabels

GRU = {"name": "gru", "hidden_size": 6}
BOTH_WAYS = {"cell": GRU, "bidirectional": True}
CLASSES = ["background", "pour", "stir"]
FEATURES = {"classes": CLASSES, "shape": [4], "every": 1, "places": ["a.npy", "b.npy"]}
PICTURES = {"classes": CLASSES, "shape": [2, 6, 5], "every": 1, "places": ["", ""]}
LENGTHS = [5, 3]

doubles = pytest.mark.usefixtures("doubles")
quiet = pytest.mark.filterwarnings(
    "ignore:.*does not have many workers",
    "ignore:.*LeafSpec.*:FutureWarning",  # lightning's use of torch
    "ignore:GPU available but not used",
    "ignore:.*logging interval",
)
each_kind = pytest.mark.parametrize("meta", [FEATURES, PICTURES], ids=["features", "pictures"])
each_way = pytest.mark.parametrize("net", [{"cell": GRU}, BOTH_WAYS], ids=["causal", "bidirectional"])


def built(meta: dict[str, Any], net: dict[str, Any] | None = None, **options: Any) -> FrameLabels:
    """A model that says something: weights larger than at the start of a training, from a seed."""
    torch.manual_seed(1)
    model = FrameLabels(net or {"cell": GRU}, meta, **options)
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(2)
    return model.eval()


def constant(meta: dict[str, Any], *scores: float, **options: Any) -> FrameLabels:
    """A model that says the same of every frame."""
    model = built(meta, **options)
    with torch.no_grad():
        model.output.weight.zero_()
        model.output.bias.copy_(torch.tensor(scores))
    return model


def frames(meta: dict[str, Any], *leading: int) -> Tensor:
    """Frames drawn at random: features, or pictures of bytes."""
    if len(meta["shape"]) == 1:
        return torch.randn(*leading, *meta["shape"])
    return torch.randint(256, (*leading, *meta["shape"]), dtype=torch.uint8)


def batch_of(meta: dict[str, Any], seed: int = 0) -> Batch:
    """Two videos, of 5 and of 3 frames; anything stands in the padding."""
    torch.manual_seed(seed)
    targets = torch.tensor([[0, 1, 1, 2, 0], [2, 2, 1, -100, -100]])
    return Batch(frames(meta, 2, 5), torch.tensor(LENGTHS), targets, torch.arange(2))


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
        check_val_every_n_epoch=epochs,
    )


# ------------------------------------------------------------------------------------ what is watched


@doubles
@torch.no_grad()
def test_each_frame_is_labelled_when_it_has_been_read(cell: dict[str, Any]) -> None:
    batch = batch_of(FEATURES)
    model = built(FEATURES, {"cell": cell})
    scores = model(batch)
    for n, length in enumerate(LENGTHS):
        state = model.recurrent.initial_state(1, batch.inputs[0])
        for t in range(length):
            y, state = model.recurrent.step(batch.inputs[n : n + 1, t], state)
            expected = model.output.weight @ y[0] + model.output.bias
            assert torch.allclose(scores[n, t], expected, atol=1e-10)


@doubles
@torch.no_grad()
def test_a_picture_is_read_as_the_vector_that_it_is_made() -> None:
    batch, model = batch_of(PICTURES), built(PICTURES, frame_size=7, channels=3)
    vectors = torch.stack([model.eye(row.double()) for row in batch.inputs])
    assert vectors.shape == (2, 5, 7)
    y, _ = model.recurrent(vectors, batch.lengths)
    expected = y @ model.output.weight.T + model.output.bias
    scores = model(batch)
    assert torch.allclose(scores[0], expected[0], atol=1e-12)
    assert torch.allclose(scores[1, :3], expected[1, :3], atol=1e-12)


@doubles
@each_kind
@each_way
@torch.no_grad()
def test_the_future_is_known_in_both_directions_only(meta: dict[str, Any], net: dict[str, Any]) -> None:
    batch, model = batch_of(meta), built(meta, net)
    before = model(batch)
    batch.inputs[0, 3:] = batch_of(meta, seed=1).inputs[0, 3:]
    changed = (model(batch) - before).abs().amax(-1) > 1e-9
    causal = "bidirectional" not in net
    assert changed[0].tolist() == [not causal] * 3 + [True] * 2
    assert not changed[1, :3].any()


@doubles
@each_kind
@each_way
@torch.no_grad()
def test_padding_and_neighbours_change_nothing(meta: dict[str, Any], net: dict[str, Any]) -> None:
    batch, model = batch_of(meta), built(meta, net)
    together = model(batch)
    loss = model.loss(together, batch)
    alone = []
    for n, length in enumerate(LENGTHS):
        row = slice(n, n + 1)
        one = Batch(
            batch.inputs[row, :length], batch.lengths[row], batch.targets[row, :length], batch.index[row]
        )
        assert torch.allclose(model(one)[0], together[n, :length], atol=1e-12)
        alone.append(model.loss(model(one), one))
    assert loss.total.item() == pytest.approx(sum(part.total.item() for part in alone))
    assert loss.count.item() == sum(part.count.item() for part in alone) == 8
    longer = Batch(torch.cat((batch.inputs, batch.inputs), 1), batch.lengths, batch.targets, batch.index)
    assert model.loss(model(longer), longer).total.item() == pytest.approx(loss.total.item())


# ----------------------------------------------------------------------------------------------- loss


def test_the_loss_is_the_cross_entropy_of_the_real_frames() -> None:
    """From hand-made probabilities; 2, 3 and 3 frames are of the classes."""
    p = [0.5, 0.2, 0.3]
    batch, model = batch_of(FEATURES), constant(FEATURES, *map(math.log, p))
    loss = model.loss(model(batch), batch)
    expected = -(2 * math.log(0.5) + 3 * math.log(0.2) + 3 * math.log(0.3))
    assert loss.total.item() == pytest.approx(expected, rel=1e-6)
    assert loss.count.item() == 8


def smoothing_by_definition(scores: Tensor, lengths: list[int]) -> tuple[float, Tensor]:
    """The loss of Farha & Gall 2019 times the frames, and its gradient at the scores."""
    logs = scores.log_softmax(-1)
    total, gradient = 0.0, torch.zeros_like(scores)
    C = scores.shape[-1]
    for n, length in enumerate(lengths):
        for t in range(1, length):
            p = scores[n, t].softmax(-1)
            for c in range(C):
                change = float(logs[n, t, c] - logs[n, t - 1, c])
                total += min(abs(change), 4.0) ** 2 / C
                if abs(change) < 4:  # d log p_c / d s_k is (c = k) - p_k
                    gradient[n, t] += 2 * change / C * (torch.eye(C)[c] - p)
    return total, gradient


@doubles
def test_smoothing_punishes_changes_as_the_paper_says() -> None:
    batch = batch_of(FEATURES)
    scores = 3 * torch.randn(2, 5, 3)
    expected, gradient = smoothing_by_definition(scores, LENGTHS)
    changes = scores.log_softmax(-1).diff(dim=1).abs()
    assert changes.max() > 4 > changes.min()  # some are cut off

    def loss(weight: float) -> tuple[float, Tensor]:
        model, leaf = built(FEATURES, smoothing=weight).train(), scores.clone().requires_grad_()
        found = model.loss(leaf, batch)
        assert found.count.item() == 8
        found.total.backward()
        assert leaf.grad is not None
        return found.total.item(), leaf.grad

    plain, plain_gradient = loss(0.0)
    smooth, smooth_gradient = loss(0.15)
    assert smooth - plain == pytest.approx(0.15 * expected)
    assert torch.allclose(smooth_gradient - plain_gradient, 0.15 * gradient, atol=1e-12)


def test_smoothing_is_for_training() -> None:
    batch, scores = batch_of(FEATURES), torch.randn(2, 5, 3)
    model, plain = built(FEATURES, smoothing=0.5), built(FEATURES)
    assert model.loss(scores, batch).total == plain.loss(scores, batch).total
    assert model.train().loss(scores, batch).total > plain.train().loss(scores, batch).total


def test_dropout_is_on_what_is_read_and_on_what_is_said() -> None:
    batch = batch_of(FEATURES)
    sizes: list[list[int]] = []
    model = built(FEATURES, dropout=0.5).train()
    model.dropout.register_forward_hook(lambda module, given, y: sizes.append(list(y.shape)))
    torch.manual_seed(0)
    one = model(batch)
    assert sizes == [[8, 4], [2, 5, 6]]
    assert not torch.equal(one, model(batch))
    assert torch.equal(model.eval()(batch), model(batch))


# -------------------------------------------------------------------------------------------- metrics


def observed(model: FrameLabels, scores: Tensor, batch: Batch) -> dict[str, float]:
    metrics = model.metrics("test")
    model.observe(metrics, batch, scores, model.loss(scores, batch), "test")
    values: dict[str, Any] = {}
    for name, metric in metrics.items():
        value = metric.compute()
        values |= value if isinstance(value, dict) else {name: value}
    return {name: float(value) for name, value in values.items()}


def said(*labels: list[int]) -> Tensor:
    """Scores whose largest are these labels'."""
    return torch.stack([torch.eye(3)[torch.tensor(row)] for row in labels])


def test_scores_are_over_the_real_frames_of_all_videos() -> None:
    """Truth: 0 1 1 2 0 and 2 2 1. Without background: 1 2 and 2 1; said: 1 2 and 2."""
    scores = said([0, 1, 1, 2, 2], [2, 2, 2, 1, 1])
    values = observed(built(FEATURES), scores, batch_of(FEATURES))
    assert values == pytest.approx(
        {
            "frame_accuracy": 100 * 6 / 8,
            "edit": (100 + 50) / 2,
            "f1@10": 100 * 2 * 3 / (3 + 4),
            "f1@25": 100 * 2 * 3 / (3 + 4),
            "f1@50": 100 * 2 * 3 / (3 + 4),
        }
    )


def test_the_background_can_be_named_or_missing() -> None:
    scores = said([0, 1, 1, 2, 0], [0, 0, 1, 1, 1])
    batch = batch_of(FEATURES)
    assert observed(built(FEATURES), scores, batch)["edit"] == (100 + 50) / 2  # 1, and 2 1
    assert observed(built(FEATURES, background="stir"), scores, batch)["edit"] == (100 + 50) / 2  # 0 1, and 1
    assert observed(built(FEATURES, background="pour"), scores, batch)["edit"] == (100 + 0) / 2  # 0, and 2
    nameless = FEATURES | {"classes": ["rest", "pour", "stir"]}
    assert observed(built(nameless), scores, batch)["edit"] == (100 + 50) / 2  # 0 1, and 2 1
    assert observed(built(nameless), said([1, 1, 1, 2, 1], [2, 2, 1, 1, 1]), batch)["edit"] == (50 + 100) / 2
    assert observed(built(FEATURES), said([1, 1, 1, 2, 2], [2, 2, 1, 1, 1]), batch)["edit"] == 100
    with pytest.raises(
        UsageError,
        match=r"^task\.background: expected one of the classes, background, pour, stir, got 'pause'",
    ):
        FrameLabels({"cell": GRU}, FEATURES, background="pause")


@quiet
def test_it_learns_what_only_a_memory_can_and_its_checkpoint_answers_without_the_data(tmp_path: Path) -> None:
    """A frame's label is what the frame two before it showed."""
    torch.manual_seed(0)
    shown = torch.randint(3, (60, 12))
    inputs = torch.eye(4)[shown]
    targets = torch.cat((torch.zeros(60, 2, dtype=torch.long), shown[:, :-2]), 1)
    batches: Any = [
        Batch(inputs[rows], torch.full((6,), 12), targets[rows], torch.arange(60)[rows])
        for rows in (slice(n, n + 6) for n in range(0, 60, 6))
    ]
    model = FrameLabels({"cell": {"name": "gru", "hidden_size": 24}}, FEATURES, dropout=0.0, smoothing=0.01)
    model.optimizer = Adam(lr=0.02)
    run = trainer(tmp_path, epochs=15)
    run.fit(model, DataLoader(batches[:-1], batch_size=None), DataLoader(batches[-1:], batch_size=None))
    assert run.callback_metrics["valid/frame_accuracy"] > 95  # chance is 33
    assert run.callback_metrics["valid/f1@50"] > 80
    run.save_checkpoint(tmp_path / "model.ckpt")

    plain = torch.load(tmp_path / "model.ckpt", weights_only=True)
    assert plain["hyper_parameters"]["meta"] == FEATURES
    again = FrameLabels.load_from_checkpoint(tmp_path / "model.ckpt", weights_only=True).eval()
    np.save(tmp_path / "new.npy", inputs[-1].T.numpy())
    (answer,) = again.predict([str(tmp_path / "new.npy")], format="frames")
    right = [name == CLASSES[label] for name, label in zip(answer.split(), targets[-1].tolist(), strict=True)]
    assert sum(right) >= 11
    assert (FrameLabels.monitor, FrameLabels.mode) == ("frame_accuracy", "max")


# ------------------------------------------------------------------------------- samples and answers


def test_samples_are_places_and_segments() -> None:
    batch = batch_of(FEATURES)
    swapped = Batch(batch.inputs, batch.lengths, batch.targets, torch.tensor([1, 0]))
    samples = constant(FEATURES, 0.0, 1.0, 0.0).samples(swapped)
    assert [{name: exhibit.text for name, exhibit in sample.items()} for sample in samples] == [
        {
            "video": "b.npy",
            "truth": "background:0-0 pour:1-2 stir:3-3 background:4-4",
            "prediction": "pour:0-4",
            "ribbon": "",
        },
        {"video": "a.npy", "truth": "stir:0-1 pour:2-2", "prediction": "pour:0-2", "ribbon": ""},
    ]
    drawing = samples[1]["ribbon"]
    assert isinstance(drawing, Drawing)
    bars = drawing.draw().axes[0].patches
    assert sorted(bar.get_width() for bar in bars) == [1, 2, 3]  # type: ignore[attr-defined]


@torch.no_grad()
def test_a_video_that_lies_nowhere_is_a_line_that_is_answered() -> None:
    meta = PICTURES | {"shape": [3, 6, 5]}
    model = built(meta)
    samples = model.samples(batch_of(meta))
    answers = [sample["prediction"].text for sample in samples]
    assert len(set(answers)) == 2
    assert list(model.predict([sample["video"].text for sample in samples])) == answers
    assert all(isinstance(sample["video"], Picture) for sample in samples)


def test_the_ribbon_shows_truth_and_prediction_of_the_first_video() -> None:
    figures = constant(FEATURES, 0.0, 1.0, 0.0).figures(batch_of(FEATURES))
    (axes,) = figures["ribbon"].axes
    assert list(figures) == ["ribbon"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["truth", "prediction"]
    bars = [(round(bar.get_y() + 0.4), bar.get_x(), bar.get_width()) for bar in axes.patches]  # type: ignore[attr-defined]
    assert sorted(bars) == [(0, 0, 1), (0, 1, 2), (0, 3, 1), (0, 4, 1), (1, 0, 5)]


def test_the_confusion_is_of_the_real_frames_of_the_last_test() -> None:
    """Truth: 0 1 1 2 0 and 2 2 1; said: 0 1 1 2 2 and 2 2 2."""
    model = constant(FEATURES, 0.0, 1.0, 0.0)
    observed(model, said([0, 1, 1, 2, 2], [2, 2, 2, 1, 1]), batch_of(FEATURES))
    (axes, _) = model.figures(batch_of(FEATURES))["confusion"].axes
    assert [label.get_text() for label in axes.get_yticklabels()] == FEATURES["classes"]
    assert [text.get_text() for text in axes.texts] == ["1", "0", "1", "0", "2", "1", "0", "0", "3"]


@torch.no_grad()
def labels_of(model: FrameLabels, inputs: Tensor) -> list[str]:
    """The class of each frame of one video."""
    length = torch.tensor([len(inputs)])
    scores = model(Batch(inputs.unsqueeze(0), length, length, length))
    return [CLASSES[label] for label in scores[0].argmax(-1).tolist()]


@each_way
def test_a_file_of_features_is_answered_in_either_form(net: dict[str, Any], tmp_path: Path) -> None:
    inputs = 2 * batch_of(FEATURES).inputs
    model = built(FEATURES, net)
    for n in range(2):
        np.save(tmp_path / f"{n}.npy", inputs[n].T.numpy())
    lines = [str(tmp_path / f"{n}.npy") for n in range(2)]
    expected = [labels_of(model, row) for row in inputs]
    assert len({str(labels) for labels in expected}) == 2
    assert list(model.predict(lines, format="frames")) == [" ".join(labels) for labels in expected]
    for labels, answer in zip(expected, model.predict(lines), strict=True):
        pieces = [(name, *span.split("-")) for name, span in (piece.split(":") for piece in answer.split())]
        assert [name for name, first, last in pieces for _ in range(int(first), int(last) + 1)] == labels


def test_a_folder_of_images_is_answered(tmp_path: Path) -> None:
    meta = PICTURES | {"shape": [3, 6, 5]}
    inputs = batch_of(meta).inputs[0]
    model = built(meta)
    for number, picture in enumerate(inputs.numpy()):
        Image.fromarray(picture.transpose(1, 2, 0).copy()).save(tmp_path / f"{number}.png")
    expected = labels_of(model, inputs)
    assert len(set(expected)) > 1
    assert list(model.predict([str(tmp_path)], format="frames")) == [" ".join(expected)]


def test_images_are_scaled_to_what_the_model_has_seen(tmp_path: Path) -> None:
    meta = PICTURES | {"shape": [1, 6, 5]}
    for number, shade in enumerate((0, 255, 100)):
        Image.new("RGB", (50, 60), (shade, shade, shade)).save(tmp_path / f"{number}.png")
    inputs = torch.tensor([0, 255, 100], dtype=torch.uint8).reshape(3, 1, 1, 1).expand(3, 1, 6, 5)
    model = built(meta)
    assert list(model.predict([str(tmp_path)], format="frames")) == [" ".join(labels_of(model, inputs))]


def test_what_was_left_out_is_like_what_was_read_before_it(tmp_path: Path) -> None:
    torch.manual_seed(0)
    inputs = 4 * torch.randn(11, 4)
    model = built(FEATURES | {"every": 3})
    np.save(tmp_path / "a.npy", inputs.T.numpy())
    read = labels_of(model, inputs[[0, 3, 6, 9]])
    assert len(set(read)) > 1
    expected = [label for label in read for _ in range(3)][:11]
    assert list(model.predict([str(tmp_path / "a.npy")], format="frames")) == [" ".join(expected)]


def test_what_is_no_such_video_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.ones((5, 9), np.float32))
    features, pictures = built(FEATURES), built(PICTURES)
    for model, line, problem in [
        (features, "", "expected the path of a video, got an empty line"),
        (features, f"{tmp_path}/a.npy", f"{tmp_path}/a.npy: expected 4 features a frame, got 5"),
        (
            features,
            f"{tmp_path}",
            f"{tmp_path}: expected a NumPy file of features, and there is no such file",
        ),
        (pictures, "", "expected the path of a video, got an empty line"),
        (pictures, f"{tmp_path}", f"{tmp_path}: expected image files (.bmp"),
        (
            pictures,
            f"{tmp_path}/b",
            f"{tmp_path}/b: expected a folder of images, and there is no such folder",
        ),
        (pictures, "data:image/png;base64,?", "data:image/png;base64,?...: expected an image in base64"),
    ]:
        with pytest.raises(InputError) as caught:
            next(model.predict([line]))
        assert str(caught.value).startswith(f"the input:1: {problem}")


def test_lines_are_read_when_their_turn_comes(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.ones((4, 3)))

    def endless() -> Iterator[str]:
        while True:
            yield str(tmp_path / "a.npy")

    assert len(list(islice(built(FEATURES).predict(endless()), 3))) == 3


# ------------------------------------------------------------------------------------------- a real run


def layout(root: Path) -> Path:
    """Four videos of features and of frames, their classes plain to see."""
    (root / "splits").mkdir()
    (root / "groundTruth").mkdir()
    (root / "features").mkdir()
    (root / "mapping.txt").write_text("0 background\n1 pour\n2 stir\n")
    (root / "splits/train.split1.bundle").write_text("a.txt\nb.txt\nc.txt\n")
    (root / "splits/test.split1.bundle").write_text("d.txt\n")
    for number, name in enumerate("abcd"):
        labels = np.arange(12 + number) // 5
        (root / f"groundTruth/{name}.txt").write_text("".join(f"{CLASSES[label]}\n" for label in labels))
        np.save(root / f"features/{name}.npy", np.eye(3)[labels].T)
        (root / "frames" / name).mkdir(parents=True)
        for time, label in enumerate(labels):
            Image.new("L", (9, 8), int(100 * label)).save(root / f"frames/{name}/{time}.png")
    return root


def run(folder: Path, *words: str) -> Result:
    return Experiment.from_words(
        "task=video",
        "cell=elman",
        "cell.hidden_size=8",
        "logger=none",
        "trainer.max_epochs=1",
        f"out={folder}",
        *words,
    ).run()


@quiet
@pytest.mark.parametrize(
    "words",
    [
        ("data.train=9", "data.valid=3", "data.test=3", "trainer.precision=bf16-mixed"),
        ("data=features", "net.bidirectional=true", "task.smoothing=0.15"),
        ("data=files", "data.every=2", "data.size=[8,8]"),
    ],
    ids=["toy", "features", "files"],
)
def test_a_run_is_trained_tested_and_asked(words: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    if "data" in words[0].split("="):
        words = (*words, f"data.path={layout(tmp_path / 'data')}", "data.valid=[b]")
    result = run(tmp_path / "runs", *words)
    values = json.loads((result.folder / "result.json").read_text())
    for split in ("valid", "test"):
        assert set(values[split]) == {"loss", "frame_accuracy", "edit", "f1@10", "f1@25", "f1@50"}
        assert all(map(math.isfinite, values[split].values()))
    assert (result.folder / "plots/ribbon.png").is_file()
    loaded = Experiment.load(result.folder)
    assert loaded.test() == pytest.approx(values["test"], rel=1e-4)
    lines = [sample["video"] for sample in result.texts]
    answers = list(loaded.predict(lines))
    if "data.every=2" not in words:  # whose samples tell of the frames that were read
        assert answers == [sample["prediction"] for sample in result.texts]


def test_the_toy_is_pictures_with_a_background() -> None:
    model = built(Toy(train=1, valid=1, test=1).meta)
    assert model.background == 0
    assert model.eye.linear.out_features == 64  # type: ignore[union-attr]
