"""Embeddings: a vector for each token, one-hot, drawn at random, or read from a file of word vectors."""

from __future__ import annotations

from typing import Literal, TypeAlias, final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rnnx.core.data import Meta
from rnnx.core.errors import UsageError
from rnnx.tasks.parts.files.vector_file import read_vectors
from rnnx.tasks.parts.texts.vocabulary import PAD, Vocabulary

Initialization: TypeAlias = Literal["one-hot", "zero", "uniform", "normal", "xavier", "he"]


@final
class OneHot(nn.Module):
    """The unit vector of each token: nothing is learnt here, and what reads it is as wide as the vocabulary.

    Args:
        count: Tokens.

    Example:
        >>> OneHot(3)(torch.tensor([2, 0])).tolist()
        [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]
    """

    one: Tensor

    def __init__(self, count: int) -> None:
        super().__init__()
        self.embedding_dim = self.num_embeddings = count
        self.register_buffer("one", torch.ones(()), persistent=False)  # has the module's type and device

    def forward(self, tokens: Tensor) -> Tensor:
        """``(...)`` to ``(..., count)``."""
        return F.one_hot(tokens, self.embedding_dim) * self.one


def embeddings(
    vocabulary: Vocabulary,
    vectors: Meta | None,
    initialization: Initialization,
    *,
    size: int,
    scale: float | None,
    frozen: bool,
) -> nn.Embedding | OneHot:
    """The embeddings of a vocabulary, as the options of a task say; that of padding starts at zero.

    A task repeats these options in its signature, by these names and with its own defaults::

        embedding: Initialization = "normal",
        embedding_size: Positive = 100,
        embedding_scale: AboveZero = 0.1,
        embedding_frozen: bool = False,

    Its data has the option ``vectors: str | None = None`` (or one for each side of a translation), and in
    its meta ``vectors`` is what :func:`~rnnx.tasks.parts.files.vector_file.vectors_meta` tells of that file.
    The words that the file knows start with its vectors, and the others as ``initialization`` says. It is
    read when a model is made anew; a model of a checkpoint has them among its weights, and its meta no longer
    names the file, as its task has called :func:`without_vector_files`.

    Args:
        vocabulary: The tokens.
        vectors: ``meta["vectors"]``.
        initialization: How vectors start: ``one-hot``, as wide as the vocabulary and never trained; ``zero``;
            ``uniform``, between ``-scale`` and ``scale``; ``normal``, with the standard deviation ``scale``;
            ``xavier``, uniform between minus and plus ``sqrt(6 / (V + E))`` (Glorot & Bengio 2010); ``he``,
            normal with the standard deviation ``sqrt(2 / E)`` (He et al. 2015).
        size: Their width ``E``, where there is no file to say it.
        scale: See ``initialization``; None for ``E ** -0.5``, so small that a tied output layer starts near
            the uniform distribution.
        frozen: Whether they stay as they start.

    Returns:
        A module with ``embedding_dim``, the width.

    Raises:
        UsageError: the options contradict each other.

    Example:
        >>> words = Vocabulary.train(["the cat"], "word", specials=("<pad>", "<unk>"))
        >>> embedding = embeddings(words, None, "normal", size=5, scale=0.1, frozen=False)
        >>> embedding(torch.tensor([[2, 3, 0]])).shape, embedding.weight[0].abs().max().item()
        (torch.Size([1, 3, 5]), 0.0)
    """
    if initialization == "one-hot":
        if vectors is not None:
            raise UsageError(
                "task.embedding: one-hot embeddings have no place for the vectors of a file; choose another "
                "start, or leave the file out"
            )
        return OneHot(len(vocabulary))
    if initialization == "zero" and frozen and vectors is None:
        raise UsageError(
            "task.embedding_frozen: a start at zero that stays there tells nothing; set it to false"
        )
    padding = vocabulary.pad if PAD in vocabulary.specials else None
    width = size if vectors is None else int(vectors["size"])
    embedding = nn.Embedding(len(vocabulary), width, padding)
    _initialize(embedding.weight, initialization, width**-0.5 if scale is None else scale)
    with torch.no_grad():
        if vectors is not None and vectors["path"] is not None:
            places, values = read_vectors(vectors["path"], tuple(vocabulary.tokens))
            embedding.weight[places] = values.to(embedding.weight)
        if padding is not None:
            embedding.weight[padding] = 0
    embedding.weight.requires_grad_(not frozen)
    return embedding


def tieable(embedding: nn.Embedding | OneHot) -> Tensor:
    """The matrix of embeddings, to be that of the output layer too (Press & Wolf 2017).

    Raises:
        UsageError: there is none, or it is not trained.
    """
    if isinstance(embedding, OneHot):
        raise UsageError(
            "task.tied: one-hot embeddings have no matrix that the output layer could share; set "
            "task.tied=false"
        )
    if not embedding.weight.requires_grad:
        raise UsageError(
            "task.tied: the output layer would stay as it starts, as frozen embeddings do; set task.tied or "
            "task.embedding_frozen to false"
        )
    return embedding.weight


def without_vector_files(meta: Meta, *names: str) -> Meta:
    """A meta as a checkpoint keeps it, without the files of vectors: these are among the weights there.

    For the constructor of a task: ``self.hparams["meta"] = without_vector_files(meta, "vectors")``.

    Args:
        meta: The meta.
        names: What of it tells of vectors.

    Example:
        >>> without_vector_files({"vectors": {"path": "glove.txt", "size": 50}, "classes": ["a"]}, "vectors")
        {'vectors': {'path': None, 'size': 50}, 'classes': ['a']}
    """
    return meta | {name: meta[name] and meta[name] | {"path": None} for name in names}


@torch.no_grad()
def _initialize(weight: Tensor, initialization: Initialization, scale: float) -> None:
    match initialization:
        case "zero":
            nn.init.zeros_(weight)
        case "uniform":
            nn.init.uniform_(weight, -scale, scale)
        case "normal":
            nn.init.normal_(weight, std=scale)
        case "xavier":
            nn.init.xavier_uniform_(weight)
        case "he":
            nn.init.kaiming_normal_(weight)
