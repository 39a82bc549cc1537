"""Video: a label for each frame, while watching or with the future (Farha & Gall 2019; Lea et al. 2017)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, final

import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence
from torchmetrics import Metric

from rnnx.core.batch import Batch
from rnnx.core.bounds import NonNegative, Positive, Rate
from rnnx.core.data import Meta, Split
from rnnx.core.errors import InputError, UsageError
from rnnx.core.exhibits.exhibit import Drawing, Exhibit, Picture, Text
from rnnx.core.exhibits.view import View
from rnnx.core.graph import Graph
from rnnx.core.nets.dropout import Dropout
from rnnx.core.nets.linear import Linear
from rnnx.core.nets.padding import real_steps
from rnnx.core.task import Loss, Task
from rnnx.tasks.parts.files.feature_file import read_features
from rnnx.tasks.parts.files.frame_folder import read_frames
from rnnx.tasks.parts.files.frames import to_tensor
from rnnx.tasks.parts.lines import each
from rnnx.tasks.parts.nets.frame_encoder import FrameEncoder
from rnnx.tasks.parts.pictures.film_strip import SCHEME, contact_sheet, film_strip, read_film_strip
from rnnx.tasks.parts.scores.confusion import ConfusionMatrix, confusion_figures
from rnnx.tasks.parts.scores.segment_scores import Edit, FrameAccuracy, SegmentF1
from rnnx.tasks.parts.segments import format_segments

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BACKGROUND: Final = "background"  # the class that counts for no segment, unless another is named
LARGEST: Final = 4.0  # change of a log-probability that the smoothing still punishes more: MS-TCN's tau
ALT: Final = "True and predicted labels over time"


@final
class FrameLabels(Task):
    """Labels each frame of a video, from precomputed features or from the pictures.

    A picture is made a vector by a small convolutional net; a net of any cell reads features or vectors frame
    by frame. It knows only the past, unless ``net.bidirectional=true``.

    Args:
        frame_size: Width of the vector that a picture is made; features are read as they are.
        channels: Channels of the first convolution, for pictures.
        dropout: Rate on the vectors or features, and on the net's outputs.
        smoothing: Weight of MS-TCN's smoothing loss, which punishes changes of the log-probabilities from one
            frame to the next, in training (0.15 there); 0 for none.
        background: The class that the edit score and F1 do not count; by default the one named background, if
            there is one.
    """

    monitor: ClassVar[str] = "frame_accuracy"
    mode: ClassVar[Literal["min", "max"]] = "max"
    pipeline: ClassVar[str | None] = "video-classification"
    counted: ClassVar[str] = "frames"

    def __init__(
        self,
        net: Mapping[str, Any],
        meta: Meta,
        *,
        frame_size: Positive = 64,
        channels: Positive = 16,
        dropout: Rate = 0.1,
        smoothing: NonNegative = 0.0,
        background: str | None = None,
    ) -> None:
        super().__init__(net, meta)
        self.classes: list[str] = meta["classes"]
        self.shape: tuple[int, ...] = tuple(meta["shape"])
        if background not in (None, *self.classes):
            raise UsageError(
                f"task.background: expected one of the classes, {', '.join(self.classes)}, got '{background}'"
            )
        named = BACKGROUND if background is None else background
        self.background = self.classes.index(named) if named in self.classes else None
        self.smoothing = smoothing
        pictures = len(self.shape) > 1
        self.eye = FrameEncoder(self.shape, channels, frame_size) if pictures else nn.Identity()
        self.recurrent = self.net.encoder(frame_size if pictures else self.shape[0])
        self.output = Linear(self.recurrent.output_size, len(self.classes))
        self.dropout = Dropout(dropout)
        self._confusions: dict[Split, ConfusionMatrix] = {}

    def forward(self, batch: Batch) -> Tensor:
        """The scores of the classes at each frame, ``(N, T, C)``."""
        frames = batch.inputs[real_steps(batch.inputs, batch.lengths)]  # (M, ...), those of all videos
        vectors = self.dropout(self.eye(frames.to(self.output.weight.dtype)))  # (M, E)
        rows = pad_sequence(vectors.split(batch.lengths.tolist()), batch_first=True)  # (N, T, E)
        y, _ = self.recurrent(rows, batch.lengths)
        return self.output(self.dropout(y))

    def loss(self, output: Tensor, batch: Batch) -> Loss:
        """Cross-entropy in nats a frame; in training also the smoothing loss (Farha & Gall 2019).

        That is their truncated mean squared error, the mean over frames and classes of
        ``min(|log y_t - log y_{t-1}|, 4)^2``, where ``y_{t-1}`` gets no gradient.
        """
        scores = output.to(torch.promote_types(output.dtype, torch.float32)).log_softmax(-1)
        real = real_steps(scores, batch.lengths)  # (N, T)
        targets = batch.targets[real_steps(batch.targets, batch.lengths)]  # (M,)
        total = F.nll_loss(scores[real], targets, reduction="sum")
        if self.training and self.smoothing:
            changes = (scores[:, 1:] - scores[:, :-1].detach()).clamp(-LARGEST, LARGEST)
            total = total + self.smoothing * changes.square().mean(-1)[real[:, 1:]].sum()
        return Loss(total, torch.tensor(len(targets), device=total.device))

    def metrics(self, split: Split) -> Mapping[str, Metric]:
        """Frame accuracy, edit score, and F1 at overlaps of 10, 25 and 50%."""
        self._confusions[split] = ConfusionMatrix(len(self.classes))
        return {
            "frames": self._confusions[split],
            "frame_accuracy": FrameAccuracy(),
            "edit": Edit(self.background),
            "f1": SegmentF1(self.background),
        }

    def observe(
        self, metrics: Mapping[str, Metric], batch: Batch, output: Tensor, loss: Loss, split: Split
    ) -> None:
        """Adds the videos of a batch."""
        real = real_steps(batch.targets, batch.lengths)  # (N, T)
        metrics["frames"].update(batch.targets[real], output.argmax(-1)[real])
        for labels, true in _pairs(output, batch):
            for name in ("frame_accuracy", "edit", "f1"):
                metrics[name].update(labels, true)

    def samples(self, batch: Batch) -> list[dict[str, Exhibit]]:
        """The line that :meth:`predict` reads a test video from, its true segments and the predicted ones.

        Both are drawn over time, too. Frames are counted as they were read: with ``data.every=2`` each
        second one.

        A video that lies nowhere is a film strip, its frames one below the other: a ``data:`` URL, which a
        browser shows.
        """
        lines = [self.meta["places"][position] for position in batch.index.tolist()]
        return [
            {
                "video": self._shown(line, frames[: len(true)].cpu().numpy()),
                "truth": Text(format_segments(true, self.classes)),
                "prediction": Text(format_segments(labels, self.classes)),
                "ribbon": Drawing("", ALT, partial(self._ribbon, {"truth": true, "prediction": labels})),
            }
            for line, frames, (labels, true) in zip(
                lines, batch.inputs, _pairs(self(batch), batch), strict=True
            )
        ]

    def figures(self, batch: Batch) -> dict[str, Figure]:
        """Truth and prediction of the first video over time; what frames of the last test were taken for."""
        labels, true = next(_pairs(self(batch), batch))
        ribbon = self._ribbon({"truth": true, "prediction": labels})
        return {"ribbon": ribbon, **confusion_figures(self._confusions.get("test"), self.classes)}

    def predict(
        self, lines: Iterable[str], *, format: Literal["segments", "frames"] = "segments"
    ) -> Iterator[str]:
        """Labels the frames of a video for each line.

        Args:
            lines: Of each video the path of its ``.npy`` file of features, or of its folder of images
                (which are scaled to the size that the model was trained with); also a film strip, as samples
                have it.
            format: segments, as in ``pour:0-41 stir:42-60``, frames counted from 0 and the last included; or
                frames, the name of a class for each frame, separated by blanks.

        Returns:
            One line for each line read.

        Raises:
            InputError: there is no such video, or it is not like those the model was trained with.
        """
        for frames in each(lines, self._read):
            labels = self._label(frames)
            if format == "segments":
                yield format_segments(labels, self.classes)
            else:
                yield " ".join(self.classes[label] for label in labels)

    def _shown(self, line: str, frames: NDArray[Any]) -> Exhibit:
        """The line that a video is read from and, of pictures, some of them."""
        if len(self.shape) == 1:
            return Text(line)
        return Picture(line or film_strip(frames), "Frames of the video", contact_sheet(frames))

    def _ribbon(self, rows: Mapping[str, Sequence[int]]) -> Figure:
        from rnnx.tasks.parts.pictures.ribbon import ribbons

        return ribbons(rows, self.classes)

    def views(self) -> list[View]:
        """The label of each frame over time."""
        return [View.of("label", self.label, "place")]

    def label(self, line: str) -> Iterator[dict[str, Exhibit]]:
        """Labels the frames of a video: the path of a file of features, or of a folder of images.

        Args:
            line: As :meth:`predict` reads it.

        Returns:
            Of pictures, some of the frames; the label of each over time, in colours; and the segments.
        """
        (frames,) = each([line], self._read)
        labels = self._label(frames)
        video = {} if len(self.shape) == 1 else {"video": self._shown(line, frames)}
        yield video | {
            "labels": Drawing("", "Labels over time", partial(self._ribbon, {"prediction": labels})),
            "segments": Text(format_segments(labels, self.classes)),
        }

    @torch.no_grad()
    def _label(self, frames: NDArray[Any]) -> list[int]:
        """The label of each frame, of ``(T, ...)``."""
        every: int = self.meta["every"]
        inputs = to_tensor(frames[::every]).unsqueeze(0).to(self.device)
        lengths = torch.tensor([inputs.shape[1]])
        labels = self(Batch(inputs, lengths, lengths, lengths)).argmax(-1)[0]
        return labels.repeat_interleave(every)[: len(frames)].tolist()

    def graph(self) -> Graph:
        """The scores of each frame's classes ``(N, T, C)``, from features or pictures ``(N, T, ...)``.

        Both are numbers of 32 bits, those of pictures from 0 to 255.
        """
        most = 255 if len(self.shape) == 3 else 1

        def compute(inputs: Tensor, lengths: Tensor) -> Tensor:
            rows, steps = inputs.shape[:2]
            vectors = self.eye(inputs.flatten(0, 1)).unflatten(0, (rows, steps))  # (N, T, E)
            return self.output(self.recurrent(vectors, lengths)[0])

        return Graph(compute, "scores", lambda *size: most * torch.rand(*size, *self.shape))

    def _read(self, line: str) -> NDArray[Any]:
        """The frames of the video that a line names, ``(T, ...)``."""
        if not line:
            raise ValueError("expected the path of a video, got an empty line")
        if len(self.shape) == 1:
            frames: NDArray[Any] = read_features(line)
        elif line.startswith(SCHEME):
            frames = read_film_strip(line, self.shape)
        else:
            channels, height, width = self.shape
            frames = read_frames(line, channels, (height, width))
        if frames.shape[1:] != self.shape:
            raise InputError(line, f"expected {self.shape[0]} features a frame, got {frames.shape[1]}")
        return frames


def _pairs(output: Tensor, batch: Batch) -> Iterator[tuple[list[int], list[int]]]:
    """The predicted and the true labels of each video."""
    rows = zip(output.argmax(-1).tolist(), batch.targets.tolist(), batch.lengths.tolist(), strict=True)
    return ((labels[:length], true[:length]) for labels, true, length in rows)
