"""Embeddings against their definitions, and against files of vectors written by hand."""

from __future__ import annotations

import math
from pathlib import Path
from typing import get_args

import pytest
import torch
from torch import nn

from rnnx.core.data import Meta
from rnnx.core.errors import UsageError
from rnnx.tasks.parts.files.vector_file import vectors_meta
from rnnx.tasks.parts.nets.embeddings import Initialization, OneHot, embeddings, tieable, without_vector_files
from rnnx.tasks.parts.texts.vocabulary import PAD, UNK, Vocabulary

WORDS = Vocabulary.train([" ".join(f"w{n}" for n in range(598))], "word", specials=(PAD, UNK))
SIZE = 50
DRAWN = [kind for kind in get_args(Initialization) if kind not in ("one-hot", "zero")]


def made(
    kind: Initialization, vectors: Meta | None = None, scale: float = 0.3, frozen: bool = False
) -> nn.Embedding:
    torch.manual_seed(0)
    embedding = embeddings(WORDS, vectors, kind, size=SIZE, scale=scale, frozen=frozen)
    assert isinstance(embedding, nn.Embedding)
    return embedding


def vectors(folder: Path) -> Meta:
    """Those of two words and, so that it can do harm, of padding."""
    file = folder / "vectors.txt"
    file.write_text(f"w1 1 2 3\n{PAD} 9 9 9\nw5 4 5 6\n")
    meta = vectors_meta(str(file), WORDS)
    assert meta is not None
    return meta


@pytest.mark.parametrize(
    ("kind", "bound", "deviation"),
    [
        ("uniform", 0.3, 0.3 / math.sqrt(3)),
        ("normal", math.inf, 0.3),
        ("xavier", math.sqrt(6 / 650), math.sqrt(2 / 650)),  # of 600 x 50
        ("he", math.inf, math.sqrt(2 / 50)),
    ],
)
def test_a_start_is_of_its_distribution(kind: Initialization, bound: float, deviation: float) -> None:
    weight = made(kind).weight[1:]
    assert weight.abs().max() <= bound
    assert weight.std().item() == pytest.approx(deviation, rel=0.02)
    assert weight.mean().item() == pytest.approx(0, abs=0.05 * deviation)
    if math.isfinite(bound):
        assert weight.abs().max() > 0.99 * bound
    else:
        assert weight.abs().max() > 3 * deviation


@pytest.mark.parametrize("kind", ["normal", "uniform"])
def test_without_a_scale_an_output_layer_that_is_tied_starts_near_uniform(kind: Initialization) -> None:
    """Its scores of a vector of ``E`` numbers of variance 1 have a variance of 1, or of a third."""
    torch.manual_seed(0)
    embedding = embeddings(WORDS, None, kind, size=64, scale=None, frozen=False)
    deviation = 1 / 8 if kind == "normal" else 1 / 8 / math.sqrt(3)
    assert embedding(torch.arange(1, 600)).std().item() == pytest.approx(deviation, rel=0.02)


def test_what_can_be_tied_is_the_matrix_itself() -> None:
    embedding = made("normal")
    assert tieable(embedding) is embedding.weight
    for other in (OneHot(3), made("normal", frozen=True)):
        with pytest.raises(UsageError, match=r"^task\.tied: "):
            tieable(other)


def test_a_start_at_zero_is_trained() -> None:
    embedding = made("zero")
    assert not embedding.weight.any()
    assert embedding.weight.requires_grad


@pytest.mark.parametrize("kind", DRAWN)
def test_padding_is_zero_and_stays_zero(kind: Initialization) -> None:
    embedding = made(kind)
    assert not embedding.weight[0].any()
    embedding(torch.tensor([0, 1])).sum().backward()
    assert embedding.weight.grad is not None
    assert not embedding.weight.grad[0].any()
    assert embedding.weight.grad[1].all()


def test_a_vocabulary_without_padding_has_no_zero_row() -> None:
    words = Vocabulary.train(["a b"], "word", specials=(UNK,))
    embedding = embeddings(words, None, "normal", size=SIZE, scale=0.1, frozen=False)
    assert isinstance(embedding, nn.Embedding)
    assert embedding.weight.any(1).all()


def test_one_hot_vectors_are_unit_vectors() -> None:
    one_hot = embeddings(WORDS, None, "one-hot", size=SIZE, scale=0.1, frozen=False)
    tokens = torch.tensor([[3, 0], [599, 3]])
    assert isinstance(one_hot, OneHot)
    assert one_hot.embedding_dim == 600
    assert torch.equal(one_hot(tokens), torch.eye(600)[tokens])
    assert not list(one_hot.parameters())
    assert not one_hot.state_dict()


@pytest.mark.parametrize("dtype", [torch.double, torch.bfloat16])
def test_one_hot_vectors_have_the_type_of_the_model(dtype: torch.dtype) -> None:
    assert OneHot(3).to(dtype)(torch.tensor([1])).dtype == dtype


@pytest.mark.parametrize("kind", [*DRAWN, "zero"])
def test_words_of_the_file_start_with_its_vectors(tmp_path: Path, kind: Initialization) -> None:
    embedding = made(kind, vectors(tmp_path))
    one, five = (WORDS.tokens.index(word) for word in ("w1", "w5"))
    assert embedding.weight.shape == (600, 3)
    assert embedding.weight[[one, five]].tolist() == [[1, 2, 3], [4, 5, 6]]
    assert not embedding.weight[0].any()
    others = [n for n in range(1, 600) if n not in (one, five)]
    assert embedding.weight[others].any(1).all().item() == (kind != "zero")
    assert embedding.weight[others].abs().max() < 4


@pytest.mark.parametrize("frozen", [False, True])
def test_embeddings_are_tuned_or_frozen(tmp_path: Path, frozen: bool) -> None:
    for embedding in (made("zero", vectors(tmp_path), frozen=frozen), made("normal", frozen=frozen)):
        assert embedding.weight.requires_grad is not frozen


def test_a_settled_meta_needs_no_file(tmp_path: Path) -> None:
    """The embeddings have the width of the vectors, and a checkpoint fills them."""
    meta = {"vectors": vectors(tmp_path), "classes": ["a"]}
    embedding = made("normal", meta["vectors"])
    (tmp_path / "vectors.txt").unlink()
    kept = without_vector_files(meta, "vectors")
    assert kept == {"vectors": {"path": None, "size": 3, "found": 3, "words": 600}, "classes": ["a"]}
    assert meta["vectors"]["path"] is not None
    loaded = made("zero", kept["vectors"], frozen=True)
    loaded.load_state_dict(embedding.state_dict())
    assert torch.equal(loaded.weight, embedding.weight)


def test_a_meta_without_vectors_stays_as_it_is() -> None:
    assert without_vector_files({"vectors": None, "classes": []}, "vectors") == {
        "vectors": None,
        "classes": [],
    }


def test_options_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"^task\.embedding: one-hot .* of a file"):
        embeddings(WORDS, vectors(tmp_path), "one-hot", size=SIZE, scale=0.1, frozen=False)
    with pytest.raises(UsageError, match=r"^task\.embedding_frozen: "):
        made("zero", frozen=True)
