"""Captioning: what an image shows, in words, by a decoder that looks at it (Xu et al. 2015)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, final

import torch
from torch import Tensor
from torchmetrics import Metric

from rnnx.core.batch import Batch
from rnnx.core.bounds import AboveZero, Count, NonNegative, Positive, Rate, Share
from rnnx.core.data import Meta, Split
from rnnx.core.errors import InputError, UsageError
from rnnx.core.exhibits.exhibit import Drawing, Exhibit, Picture, Text
from rnnx.core.exhibits.view import View
from rnnx.core.nets.dropout import Dropout
from rnnx.core.nets.padding import real_steps
from rnnx.core.state import State
from rnnx.core.task import Loss, Task
from rnnx.tasks.parts.files.feature_file import read_grid
from rnnx.tasks.parts.files.frames import to_tensor
from rnnx.tasks.parts.files.photograph import read_photograph
from rnnx.tasks.parts.generation.decoding import (
    Predictions,
    Reading,
    Search,
    answer_lines,
    attention_file,
    exhibits,
    generate,
    loss_of,
    loss_together,
    teacher_forced,
)
from rnnx.tasks.parts.generation.search import Hypothesis
from rnnx.tasks.parts.lines import each, together
from rnnx.tasks.parts.nets.attention import Mechanism, Memory
from rnnx.tasks.parts.nets.backbone import Backbone
from rnnx.tasks.parts.nets.decoder import Decoder
from rnnx.tasks.parts.nets.embeddings import Initialization, embeddings, without_vector_files
from rnnx.tasks.parts.nets.image_encoder import ImageEncoder
from rnnx.tasks.parts.padding import padded
from rnnx.tasks.parts.pictures.film_strip import SCHEME, film_strip, read_film_strip
from rnnx.tasks.parts.scores.text_scores import Captions, Perplexity
from rnnx.tasks.parts.texts.vocabulary import Vocabulary

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@final
class Captioning(Task):
    """An image encoder, and a decoder of any cell that attends to the places of the image.

    Places come from a small convolutional net that is trained from scratch, from a pretrained backbone, or
    are features computed beforehand. The decoder's first state is a layer on their mean (section 3.1.2 of
    Xu et al.). Other than there, the decoder attends after each step of its net, not before, as in
    translation (Luong et al. 2015), and the context has no gate (their beta, section 4.2.1).

    Args:
        embedding: How the vectors of words start: one-hot (as wide as the vocabulary, and never trained),
            zero, uniform or normal (see embedding_scale), xavier or he; of words that data.vectors has, as
            there.
        embedding_size: Width of the embeddings, and of the vectors that words are predicted from; embeddings
            that start from a file are as wide as those there.
        embedding_scale: A uniform start is between minus and plus this; of a normal one it is the standard
            deviation; embedding_size ** -0.5 if not said.
        embedding_frozen: Whether embeddings stay as they start.
        attention: How the decoder attends to the places; additive as in Xu et al., which takes more than
            twice the time of general; none for their mean only.
        input_feeding: Whether the attentional vector of one step, which its word is predicted from, is an
            input of the next (Luong et al. 2015, section 3.3).
        teacher_forcing: Probability with which each word that the decoder reads in training is the right one,
            and not the one it finds most probable itself (Bengio et al. 2015); below 1 it goes step by step.
        doubly_stochastic: Weight of the term that asks the decoder to attend to all places alike over the
            whole caption, in training (lambda of their equation 14); 1 if not said, where there is attention.
        channels: Channels of the first convolution of the net that is trained from scratch.
        place_size: Width of a place that it makes.
        backbone: A pretrained model that makes the places of pictures instead: the name of one on the hub of
            Hugging Face, or a local folder; it must be there too when the trained model is used.
        backbone_frozen: Whether the backbone's weights stay as they are.
        tied: Whether the embedding is the output layer's matrix too (Press & Wolf 2017).
        dropout: Rate on embeddings, on places, and on the vectors that words are predicted from.
        label_smoothing: Share of the probability that is spread over all words, in training (Szegedy et al.
            2016).
        beam_size: Hypotheses kept at each step; 1 for greedy search.
        length_penalty: Exponent of GNMT's length normalisation; 0 for none.
        min_length: Words of a caption at least.
        max_length: Words of a caption at most.
        no_repeat_ngram: Length of the n-grams that may not occur twice; 0 for no such rule.
    """

    monitor: ClassVar[str] = "cider"
    mode: ClassVar[Literal["min", "max"]] = "max"
    pipeline: ClassVar[str | None] = "image-to-text"
    counted: ClassVar[str] = "tokens"

    def __init__(
        self,
        net: Mapping[str, Any],
        meta: Meta,
        *,
        embedding: Initialization = "normal",
        embedding_size: Positive = 128,
        embedding_scale: AboveZero | None = None,
        embedding_frozen: bool = False,
        attention: Mechanism = "general",
        input_feeding: bool = False,
        teacher_forcing: Share = 1.0,
        doubly_stochastic: NonNegative | None = None,
        channels: Positive = 32,
        place_size: Positive = 128,
        backbone: str | None = None,
        backbone_frozen: bool = True,
        tied: bool = True,
        dropout: Rate = 0.2,
        label_smoothing: Share = 0.1,
        beam_size: Positive = 5,
        length_penalty: NonNegative = 1.0,
        min_length: Count = 0,
        max_length: Positive = 50,
        no_repeat_ngram: Count = 0,
    ) -> None:
        super().__init__(net, meta)
        if self.net.bidirectional:
            raise UsageError(
                "net.bidirectional: task 'captioning' has a decoder only, which writes in one direction; set "
                "net.bidirectional=false"
            )
        if attention == "none" and doubly_stochastic:
            raise UsageError(
                f"task.doubly_stochastic: {doubly_stochastic} needs attention, and task.attention is none; "
                "set it to 0"
            )
        self.shape: tuple[int, ...] = tuple(meta["shape"])
        self.vocabulary = Vocabulary.from_plain(meta["vocabulary"])
        self.label_smoothing = label_smoothing
        self.doubly_stochastic = 1.0 if doubly_stochastic is None else doubly_stochastic
        self.search = Search(
            beam_size=beam_size,
            length_penalty=length_penalty,
            coverage_penalty=0.0,
            min_length=min_length,
            max_length=max_length,
            no_repeat_ngram=no_repeat_ngram,
        ).checked("task.")
        self.eye: ImageEncoder | Backbone | None = None
        if len(self.shape) > 1:
            self.eye = (
                ImageEncoder(self.shape, channels, place_size)
                if backbone is None
                else Backbone(backbone, backbone_frozen, self.shape)
            )
        elif backbone is not None:
            raise UsageError("task.backbone: the data are features already; leave it out")
        width = self.shape[0] if self.eye is None else self.eye.size
        self.hparams["meta"] = without_vector_files(meta, "vectors")
        self.decoder = Decoder(
            embeddings(
                self.vocabulary,
                meta["vectors"],
                embedding,
                size=embedding_size,
                scale=embedding_scale,
                frozen=embedding_frozen,
            ),
            embedding_size,
            self.net,
            source_sizes=(width,),
            value_size=width,
            mechanism=attention,
            bridged=True,
            input_feeding=input_feeding,
            teacher_forcing=teacher_forcing,
            tied=tied,
            embedding_dropout=dropout,
            dropout=dropout,
        )
        self.dropout = Dropout(dropout)

    def forward(self, batch: Batch) -> Predictions:
        """Reads the images and the right words before each word of a caption."""
        memory, start = self._see(batch.inputs, batch.lengths)
        return teacher_forced(self.decoder, self.vocabulary, batch, memory, start)

    def loss(self, output: Predictions, batch: Batch) -> Loss:
        """Cross-entropy in nats a word, end of caption included; smoothed while training.

        In training, equation 14 of Xu et al. is added: for each caption, and not divided by its words or the
        places, ``doubly_stochastic`` times the sum over the places of ``(1 - a)^2``, where ``a`` is the
        attention that a place got in all.
        """
        _, *others = self.members
        if others:
            said = [output, *(other(batch) for other in others)]
            return loss_together([member.decoder for member in self.members], said)
        loss = loss_of(self.decoder, output, self.label_smoothing if self.training else 0.0)
        if not self.training or not self.doubly_stochastic or output.attention is None:
            return loss
        assert batch.target_lengths is not None
        real = real_steps(output.attention, batch.target_lengths)  # (N, U)
        seen = output.attention.to(loss.total.dtype).where(real.unsqueeze(-1), 0).sum(1)  # (N, S)
        return Loss(loss.total + self.doubly_stochastic * (1 - seen)[output.mask].square().sum(), loss.count)

    def metrics(self, split: Split) -> Mapping[str, Metric]:
        """Perplexity; BLEU-1 to 4, ROUGE-L, CIDEr-D and how many captions equal a reference.

        Captions are those of greedy search in validation, and of the beam in the test.
        """
        return {"perplexity": Perplexity(), "text": Captions()}

    def observe(
        self, metrics: Mapping[str, Metric], batch: Batch, output: Predictions, loss: Loss, split: Split
    ) -> None:
        """Adds the losses and the captions of a batch."""
        metrics["perplexity"].update(loss.total, loss.count)
        search = self.search if split == "test" else self.search._replace(beam_size=1)
        texts = [self._text(found) for found in self._captions(batch.inputs, batch.lengths, search)]
        metrics["text"].update(batch.index, texts, batch.references)

    def samples(self, batch: Batch) -> list[dict[str, Exhibit]]:
        """The line that :meth:`predict` reads a test image from, what people say of it, and the caption.

        If the model reads pictures and has attention, also the attention.

        A picture that lies nowhere is a ``data:`` URL, which a browser shows.
        """
        assert batch.references is not None
        found = self._captions(batch.inputs, batch.lengths, self.search)
        lines = [self.meta["places"][position] for position in batch.index.tolist()]
        return [
            self._sample(line, image, " | ".join(references), best)
            for line, image, references, (best, *_) in zip(
                lines, batch.inputs, batch.references, found, strict=True
            )
        ]

    def figures(self, batch: Batch) -> dict[str, Figure]:
        """The attention over the first picture; features are no picture, so theirs is not drawn."""
        ((best, *_),) = self._captions(batch.inputs[:1], batch.lengths[:1], self.search)
        return {"attention": self._figure(batch.inputs[0], best)} if self._is_drawable(best) else {}

    def predict(
        self,
        lines: Iterable[str],
        *,
        beam_size: Positive | None = None,
        n_best: Positive = 1,
        length_penalty: NonNegative | None = None,
        min_length: Count | None = None,
        max_length: Positive | None = None,
        no_repeat_ngram: Count | None = None,
        scores: bool = False,
        attention: str | None = None,
        batch_size: Positive = 16,
    ) -> Iterator[str]:
        """Captions an image for each line.

        Args:
            lines: Paths of images, which are scaled to the size that the model was trained with; also
                ``data:`` URLs, as samples have them; or of ``.npy`` files of features.
            beam_size: Hypotheses kept at each step; as trained if not said.
            n_best: Captions an image, of a beam that is at least as wide; above 1 in Moses' form,
                ``number ||| caption ||| score``.
            length_penalty: Exponent of the length normalisation; as trained if not said.
            min_length: Words at least; as trained if not said.
            max_length: Words at most; as trained if not said.
            no_repeat_ngram: Length of the n-grams that may not occur twice; as trained if not said.
            scores: Whether each line is written in Moses' form, with its score, also where there is one.
            attention: A PNG file to draw the first picture in, once for each word, bright where the model
                attended to.
            batch_size: Images read and captioned together.

        Returns:
            One line for each line read, in order (``n_best`` lines where that is above 1).

        Raises:
            InputError: there is no such image, or features are not as wide as those trained with.
            UsageError: the least length is above the most.
        """
        search = self.search.changed(
            n_best,
            beam_size=beam_size,
            length_penalty=length_penalty,
            min_length=min_length,
            max_length=max_length,
            no_repeat_ngram=no_repeat_ngram,
        )
        if attention is not None and self.eye is None:
            raise UsageError(
                "attention: the model reads features, so there is no picture to draw; leave it out"
            )
        picture = None if attention is None else attention_file(attention, self.decoder)
        number = 0
        for images in together(each(lines, self._read), batch_size):
            inputs, lengths = padded(images)
            found = self._captions(inputs.to(self.device), lengths.to(self.device), search)
            if picture is not None and number == 0:
                self._draw(inputs[0], found[0], picture)
            for hypotheses in found:
                yield from answer_lines(number, hypotheses, self._text_of, scores or n_best > 1)
                number += 1

    def agree(self, other: Self) -> None:
        """Another model must write the same words, and see images or features of the same size."""
        if found := self.vocabulary.difference(other.vocabulary):
            raise UsageError(f"expected one vocabulary, got {found}; train both on the same data")
        if self.shape != other.shape:
            raise UsageError(
                f"expected images or features of one shape, got {self.shape} and {other.shape}; "
                "train both on the same data"
            )

    def views(self) -> list[View]:
        """The caption of an image, and its attention."""
        return [View.of("caption", self.caption, "place" if self.eye is None else "picture")]

    def caption(
        self,
        line: str,
        *,
        beam_size: Positive | None = None,
        n_best: Positive = 1,
        length_penalty: NonNegative | None = None,
        no_repeat_ngram: Count | None = None,
    ) -> Iterator[dict[str, Exhibit]]:
        """Captions an image, and shows it once for each word, dark where the model did not attend to.

        Args:
            line: As :meth:`predict` reads it.
            beam_size: Hypotheses kept at each step; as trained if not said.
            n_best: Captions.
            length_penalty: Exponent of the length normalisation; as trained if not said.
            no_repeat_ngram: Length of the n-grams that may not occur twice; as trained if not said.

        Returns:
            The caption; its attention, if the model has any and reads pictures; and the other captions, best
            first.
        """
        search = self.search.changed(
            n_best, beam_size=beam_size, length_penalty=length_penalty, no_repeat_ngram=no_repeat_ngram
        )
        (image,) = each([line], self._read)
        image = image.to(self.device)
        lengths = torch.tensor([len(image)], device=self.device)
        (hypotheses,) = self._captions(image.unsqueeze(0), lengths, search)
        attention = None
        if self._is_drawable(hypotheses[0]):
            alt = f"Where in the image was looked for each word of '{self._text(hypotheses)}'"
            attention = Drawing("", alt, partial(self._figure, image, hypotheses[0]))
        yield exhibits("caption", hypotheses, self.vocabulary, attention)

    def _see(self, inputs: Tensor, lengths: Tensor) -> tuple[Memory, State]:
        """What the decoder attends to, and the state that it starts from."""
        inputs = inputs.to(self.decoder.output.weight.dtype)
        if self.eye is None:
            mask = real_steps(inputs, lengths)  # (N, S)
            values = inputs.where(mask.unsqueeze(-1), 0)
        else:
            values = self.eye(inputs[:, 0])  # (N, S, E)
            mask = values.new_ones(values.shape[:2], dtype=torch.bool)
        mean = values.sum(1) / mask.sum(1, keepdim=True)  # (N, E)
        return self.decoder.memory(self.dropout(values), mask), self.decoder.start((mean,))

    @torch.no_grad()
    def _captions(self, inputs: Tensor, lengths: Tensor, search: Search) -> list[list[Hypothesis]]:
        readings = [
            Reading(member.decoder, *member._see(inputs, lengths), shown=member._grid == self._grid)
            for member in self.members
        ]
        return generate(readings, self.vocabulary, search)

    @property
    def _grid(self) -> tuple[int, int] | None:
        """How many places of a picture there are down and across; None for features."""
        return None if self.eye is None else self.eye.grid

    def _text(self, hypotheses: Sequence[Hypothesis]) -> str:
        return self._text_of(hypotheses[0])

    def _text_of(self, hypothesis: Hypothesis) -> str:
        return self.vocabulary.decode(hypothesis.tokens)

    def _sample(self, line: str, image: Tensor, references: str, best: Hypothesis) -> dict[str, Exhibit]:
        caption = self.vocabulary.decode(best.tokens)
        sample: dict[str, Exhibit] = {
            "image": self._shown(line, image),
            "references": Text(references),
            "caption": Text(caption),
        }
        if self.eye is not None and best.attention is not None:
            alt = f"Where in the image was looked for each word of '{caption}'"
            draw = partial(self._figure, image, best)
            sample["attention"] = Drawing("", alt, draw) if best.tokens else Text("")
        return sample

    def _shown(self, line: str, image: Tensor) -> Exhibit:
        """The line that an image is read from and, of a picture, itself."""
        if self.eye is None:
            return Text(line)
        url = film_strip(image[:1].cpu().numpy())
        return Picture(line or url, "The image", url)

    def _is_drawable(self, best: Hypothesis) -> bool:
        """Whether there is attention to draw, over a picture."""
        return self.eye is not None and best.is_aligned

    def _figure(self, inputs: Tensor, best: Hypothesis) -> Figure:
        from rnnx.tasks.parts.pictures.gaze import gazes

        assert self.eye is not None
        assert best.attention is not None
        words = [self.vocabulary.tokens[token] for token in best.tokens]
        return gazes(inputs[0], best.attention.unflatten(1, self.eye.grid), words)

    def _draw(self, inputs: Tensor, hypotheses: Sequence[Hypothesis], path: Path) -> None:
        from rnnx.core.plots import save

        if self._is_drawable(hypotheses[0]):
            save(self._figure(inputs, hypotheses[0]), path)

    def _read(self, line: str) -> Tensor:
        """The image that a line names, ``(1, C, H, W)`` or ``(S, D)``."""
        if not line:
            raise ValueError("expected the path of an image, got an empty line")
        if self.eye is None:
            features = to_tensor(read_grid(line))
            if features.shape[1:] != self.shape:
                raise InputError(line, f"expected {self.shape[0]} features a place, got {features.shape[1]}")
            return features
        if line.startswith(SCHEME):
            return to_tensor(read_film_strip(line, self.shape)[:1])
        channels, height, width = self.shape
        return to_tensor(read_photograph(line, channels, (height, width))).unsqueeze(0)
