"""The task of named entities against plain loops over its parts, enumeration, and its own tagged text."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from itertools import islice, product
from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from rnnx.core.batch import Batch
from rnnx.core.errors import UsageError
from rnnx.core.resolution import resolve
from rnnx.core.running.optimizers import Adam
from rnnx.tasks.data.ner.padded import PaddedSentences
from rnnx.tasks.data.ner.sentence import Sentence
from rnnx.tasks.ner import Entities
from rnnx.tasks.parts.bucketing import bucketed
from rnnx.tasks.parts.nets.crf import CRF
from rnnx.tasks.parts.texts.lexicon import Lexicon
from rnnx.tasks.parts.texts.tagged_text import format_bracketed, format_columns, format_tagged, parse_tagged
from rnnx.tasks.parts.texts.tags import Scheme, Tag, breaks, entities, inventory, tags_of

EXPERIMENTS = sorted((Path(__file__).parents[2] / "experiments" / "ner").glob("*.yaml"))
LINES = [
    "Ada/B-PER Lovelace/I-PER met/O Bo/B-PER in/O Ely/B-LOC ./O",
    "Rain/O in/O Ely/B-LOC",
    "Bo/B-PER left/O",
    "Port/B-LOC Ada/I-LOC and/O Ely/B-LOC ,/O 1996/O",
    "Ely/B-PER met/O Ada/B-PER and/O Bo/B-PER Ely/I-PER ./O",
    "Rain/O",
]
SENTENCES = [Sentence(*parse_tagged(line)) for line in LINES]
TEXTS = [" ".join(sentence.words) for sentence in SENTENCES]
LEXICON = Lexicon.train([sentence.words for sentence in SENTENCES], lowercase=True, zero_digits=True)
GRU = {"name": "gru", "hidden_size": 6}
NET: dict[str, Any] = {"cell": GRU, "bidirectional": True}

doubles = pytest.mark.usefixtures("doubles")
quiet = pytest.mark.filterwarnings(
    "ignore:.*does not have many workers",
    "ignore:.*LeafSpec.*:FutureWarning",  # lightning's use of torch
    "ignore:GPU available but not used",
    "ignore:.*logging interval",
)
each_output = pytest.mark.parametrize("output", ["crf", "softmax"])


def meta_of(tagging: Scheme = "iobes") -> dict[str, Any]:
    return {
        "lexicon": LEXICON.to_plain(),
        "tagging": tagging,
        "tags": [str(tag) for tag in inventory(["LOC", "PER"], tagging)],
        "vectors": None,
        "examples": {"train": 6, "valid": 6, "test": 6},
    }


def built(
    net: dict[str, Any] = NET, tagging: Scheme = "iobes", sharp: float = 3.0, **options: Any
) -> Entities:
    """A model that says something: weights larger than at the start of a training, from a seed."""
    torch.manual_seed(1)
    options = {"embedding_size": 5, "character_size": 4, "character_embedding_size": 3} | options
    model = Entities(net, meta_of(tagging), **options)
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(sharp)
        for weight in model.tagging.parameters():
            torch.nn.init.normal_(weight, std=2.0)
    return model.eval()


def sentences(tagging: Scheme = "iobes") -> PaddedSentences:
    return PaddedSentences(SENTENCES, LEXICON, inventory(["LOC", "PER"], tagging), tagging)


def loader(tagging: Scheme = "iobes", shuffle: bool = False) -> DataLoader[Batch]:
    """Batches of four sentences."""
    padded = sentences(tagging)
    return bucketed(padded, padded.lengths, 4, shuffle)


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


# ------------------------------------------------------------------------------------------- what it reads


@torch.no_grad()
def looped(model: Entities, words: list[str]) -> Tensor:
    """The scores of one sentence ``(T, K)``: word by word, unpadded; the net step by step, not backwards."""
    vectors = []
    for word in words:
        (row,) = LEXICON.encode([word])
        vector = model.embedding(row[:1])
        if model.characters is not None:
            vector = torch.cat((vector, model.characters(row[1:].unsqueeze(0))), -1)
        vectors.append(vector)
    state = model.encoder.initial_state(1, vectors[0])
    rows = []
    for vector in vectors:
        y, state = model.encoder.step(vector, state)
        rows.append(model.scores(y)[0])
    return torch.stack(rows)


@doubles
def test_scores_are_of_words_and_their_characters_read_one_by_one(cell: dict[str, Any]) -> None:
    model, batch = built({"cell": cell}, sharp=1.0, character_size=8), sentences()[list(range(6))]
    for sentence, scores in zip(SENTENCES, model(batch), strict=True):
        expected = looped(model, list(sentence.words))
        assert torch.allclose(scores[: len(expected)], expected, atol=1e-9)


@doubles
def test_without_characters_words_alone_are_read() -> None:
    model, batch = built({"cell": GRU}, character_size=0), sentences()[[0, 3]]
    for sentence, scores in zip((SENTENCES[0], SENTENCES[3]), model(batch), strict=True):
        assert torch.allclose(scores[: len(sentence.words)], looped(model, list(sentence.words)), atol=1e-10)
    other = built({"cell": GRU})
    for each, same in ((model, True), (other, False)):
        assert torch.allclose(*(looped(each, [word, "met"]) for word in ("Adr", "BoL"))) == same


@doubles
@each_output
def test_padding_and_neighbours_change_nothing(output: str) -> None:
    model, padded = built(output=output), sentences()
    together = padded[[3, 0, 5, 4]]
    loss = model.loss(model(together), together)
    alone = [model.loss(model(padded[[n]]), padded[[n]]) for n in (3, 0, 5, 4)]
    assert loss.total.item() == pytest.approx(sum(one.total.item() for one in alone), abs=1e-9)
    assert loss.count.item() == sum(int(one.count) for one in alone) == 6 + 7 + 1 + 7


@doubles
def test_lengths_may_be_on_any_device() -> None:
    """The CPU at least; what is asked of them is only their values."""
    model, batch = built(), sentences()[[0, 2]]
    assert torch.isfinite(model.loss(model(batch), batch).total)


# ------------------------------------------------------------------------------------------ what it says


def best_path(model: Entities, scores: Tensor, constraints: bool) -> list[Tag]:
    """Of all sequences of tags of three words, by the sum of scores and transitions ``(3, K)``."""
    crf, tagging = model.tagging, model.meta["tagging"]
    assert isinstance(crf, CRF)

    def worth(path: tuple[int, ...]) -> float:
        one, two, three = path
        total = scores[0, one] + scores[1, two] + scores[2, three] + crf.start[one] + crf.end[three]
        return float(total + crf.transition[one, two] + crf.transition[two, three])

    def possible(path: tuple[int, ...]) -> bool:
        return not constraints or not list(breaks([model.tags[number] for number in path], tagging))

    paths = filter(possible, product(range(len(model.tags)), repeat=3))
    return [model.tags[number] for number in max(paths, key=worth)]


@doubles
@torch.no_grad()
@pytest.mark.parametrize("constraints", [False, True], ids=["free", "constrained"])
@pytest.mark.parametrize("tagging", ["iob2", "iobes"])
def test_the_answer_is_the_best_there_is(tagging: Scheme, constraints: bool) -> None:
    model = built(tagging=tagging, constraints=constraints)
    assert isinstance(model.tagging, CRF)
    model.tagging.start[model.tags.index(Tag("I", "PER"))] += (
        9  # what may be nowhere, if anything is constrained
    )
    broken = 0
    for text in ("Ada met Bo", "in Ely Ada", "Rain and rain", "Ely 1996 ,"):
        inputs = LEXICON.encode(text.split()).unsqueeze(0)
        batch = Batch(inputs, torch.tensor([3]), torch.zeros(1, 3), torch.tensor([0]))
        best = best_path(model, model(batch)[0], constraints)
        assert next(model.predict([text])) == format_tagged(text.split(), entities(best))
        broken += len(list(breaks(best, tagging)))
    assert (broken == 0) == constraints


def test_what_no_crf_constrains_may_break_the_scheme_and_is_read_as_conlleval_does() -> None:
    """A softmax made to say I-PER of each word: one entity, as no tag is outside."""
    model = built(tagging="iob2", output="softmax")
    with torch.no_grad():
        model.scores.bias[model.tags.index(Tag.of("I-PER"))] = 1e4
    assert list(model.predict(["Ada met Bo"])) == ["Ada/B-PER met/I-PER Bo/I-PER"]


def test_formats() -> None:
    model = built()
    line, conll, brackets = (
        list(model.predict(TEXTS, format=form)) for form in ("line", "conll", "brackets")
    )
    found = [parse_tagged(each) for each in line]
    assert [" ".join(words) for words, _ in found] == TEXTS
    assert any(names for _, names in found)
    assert conll == [format_columns(*each) for each in found]
    assert brackets == [format_bracketed(*each) for each in found]


@pytest.mark.parametrize("form", ["line", "conll", "brackets"])
def test_a_batch_answers_as_its_lines_do_and_an_empty_line_is_answered_by_one(form: Any) -> None:
    model = built()
    lines = [TEXTS[0], "", TEXTS[1], "  \t ", "zebra  ßß\t1/2 ", *TEXTS, ""]
    answers = [list(model.predict(lines, format=form, batch_size=size)) for size in (1, 2, 64)]
    assert answers[0] == answers[1] == answers[2]
    assert len(answers[0]) == len(lines)
    assert [answer for answer, line in zip(answers[0], lines, strict=True) if not line.strip()] == [""] * 3
    assert answers[0][4] == next(model.predict(["zebra ßß 1/2"], format=form))
    assert list(model.predict(["", ""], format=form)) == ["", ""]


def test_it_reads_no_further_than_it_must() -> None:
    taken = 0

    def endless() -> Iterator[str]:
        nonlocal taken
        while True:
            taken += 1
            yield TEXTS[taken % 6]

    answers = built().predict(endless())
    assert taken == 0
    assert len(list(islice(answers, 3))) == taken == 3
    assert len(list(islice(built().predict(endless(), batch_size=5), 6))) == 6
    assert taken == 3 + 10


def test_samples_are_the_text_what_is_right_and_what_is_found() -> None:
    model = built()
    samples = model.samples(sentences()[[3, 1]])
    assert [{name: exhibit.text for name, exhibit in sample.items()} for sample in samples] == [
        {
            "text": TEXTS[n],
            "expected": format_bracketed(*SENTENCES[n]),
            "found": next(model.predict([TEXTS[n]], format="brackets")),
        }
        for n in (3, 1)
    ]


def test_a_type_has_one_colour_in_all_samples() -> None:
    samples = built().samples(sentences()[[3, 1]])
    colours = [sample[name].colours for sample in samples for name in ("expected", "found")]  # type: ignore[attr-defined]
    assert all(each == colours[0] for each in colours)
    assert set(colours[0]) == {entity.type for _, found in SENTENCES for entity in found}
    assert len(set(colours[0].values())) == len(colours[0])


@torch.no_grad()
def test_the_figure_is_of_the_types_that_the_words_of_the_last_test_were_taken_for() -> None:
    model = built()
    assert model.figures(sentences()[[0]]) == {}
    metrics = model.metrics("test")
    for part in (range(4), range(4, 6)):
        batch = sentences()[list(part)]
        output = model(batch)
        model.observe(metrics, batch, output, model.loss(output, batch), "test")
    assert model.figures(sentences()[[0]]) == {}
    assert metrics["types"].compute() == {}
    model.metrics("valid")
    counts = Counter[tuple[str, str]]()
    for sentence, answer in zip(SENTENCES, model.predict(TEXTS), strict=True):
        truth, found = (
            [tag.type or "none" for tag in tags_of(names, len(sentence.words), "iob2")]
            for names in (sentence.entities, parse_tagged(answer)[1])
        )
        counts.update(zip(truth, found, strict=True))
    (axes, _) = model.figures(sentences()[[0]])["confusion"].axes
    types = ["none", "LOC", "PER"]
    assert [label.get_text() for label in axes.get_yticklabels()] == types
    assert [int(text.get_text()) for text in axes.texts] == [counts[pair] for pair in product(types, types)]
    assert len(counts) > 3


# -------------------------------------------------------------------------------------------- how it learns


def test_only_singletons_are_made_unknown_and_only_in_training() -> None:
    model = built(dropout=0.0, singleton_dropout=0.5)
    singletons, others = ["Lovelace", "left", "1996", "Port"], ["Ada", "met", "Ely", "rain"]
    assert all(LEXICON.encode([word])[0, 0] >= LEXICON.first_singleton for word in singletons)
    for words, number in ((singletons, 2), (others, 1)):
        for word in words:
            batch = Batch(
                LEXICON.encode([word]).unsqueeze(0), torch.tensor([1]), torch.zeros(1), torch.zeros(1)
            )
            seen = {tuple(model.train()(batch).flatten().tolist()) for _ in range(30)}
            assert len(seen) == number, word
            usual = tuple(model.eval()(batch).flatten().tolist())
            assert usual in seen
            assert {tuple(model(batch).flatten().tolist()) for _ in range(5)} == {usual}
            if number == 2:
                batch.inputs[0, 0, 0] = LEXICON.words.unk
                assert seen == {usual, tuple(model(batch).flatten().tolist())}


def test_dropout_is_on_what_the_net_reads_and_on_what_it_gives() -> None:
    model, batch = built(dropout=0.5, singleton_dropout=0.0), sentences()[[0]]
    shapes = []
    model.dropout.register_forward_hook(lambda module, given, result: shapes.append(result.shape))
    assert len({tuple(model.train()(batch).flatten().tolist()) for _ in range(4)}) == 4
    assert shapes[:2] == [(1, 7, 5 + 2 * 4), (1, 7, 2 * 6)]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a model that has learnt the six sentences by heart under Lightning's own trainer."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("ner")
    net = {"cell": {"name": "gru", "hidden_size": 16}, "bidirectional": True}
    model = Entities(net, meta_of(), embedding_size=16, character_size=8, dropout=0.0, singleton_dropout=0.0)
    model.optimizer = Adam(lr=0.02)
    run = trainer(folder, epochs=40)
    run.fit(model, loader(shuffle=True), loader())
    run.save_checkpoint(folder / "model.ckpt")
    return folder / "model.ckpt"


@quiet
def test_it_learns_and_its_checkpoint_answers_without_the_data(checkpoint: Path) -> None:
    plain = torch.load(checkpoint, weights_only=True)
    assert plain["hyper_parameters"]["meta"] == meta_of()
    model = Entities.load_from_checkpoint(checkpoint, weights_only=True).eval()
    assert list(model.predict(TEXTS)) == LINES


@quiet
@each_output
def test_what_is_measured_is_what_is_predicted(output: str, tmp_path: Path) -> None:
    model = built(output=output)
    predicted = [set(parse_tagged(answer)[1]) for answer in model.predict(TEXTS)]
    expected = [set(sentence.entities) for sentence in SENTENCES]
    hits = sum(len(one & other) for one, other in zip(predicted, expected, strict=True))
    found, there = sum(map(len, predicted)), sum(map(len, expected))
    run = trainer(tmp_path)
    (values,) = run.test(model, loader(), verbose=False)
    names = [f"{name}{type}" for type in ("", "_LOC", "_PER") for name in ("precision", "recall", "f1")]
    assert set(values) == {f"test/{name}" for name in ("loss", *names)}
    assert values["test/precision"] == pytest.approx(100 * hits / max(found, 1))
    assert values["test/recall"] == pytest.approx(100 * hits / there)
    assert values["test/f1"] == pytest.approx(200 * hits / (found + there))
    (valid,) = run.validate(model, loader(), verbose=False)
    assert {name.partition("/")[2]: value for name, value in valid.items()} == {
        name.partition("/")[2]: value for name, value in values.items()
    }


def test_the_best_checkpoint_is_that_of_the_highest_f1() -> None:
    assert (Entities.monitor, Entities.mode) == ("f1", "max")


# ------------------------------------------------------------------------------------- vectors and options


def test_vectors_are_in_the_weights_and_not_asked_for_again(tmp_path: Path) -> None:
    file = tmp_path / "vectors.txt"
    file.write_text("ely 1 2 3\n")
    meta = meta_of() | {"vectors": {"path": str(file), "size": 3, "found": 1, "words": len(LEXICON.words)}}
    model = Entities(NET, meta, embedding_frozen=True)
    (row,) = LEXICON.encode(["Ely"])
    assert model.embedding(row[0]).tolist() == [1, 2, 3]
    assert not model.embedding.weight.requires_grad  # type: ignore[union-attr]
    assert json.loads(json.dumps(model.hparams["meta"]))["vectors"]["path"] is None
    file.unlink()
    Entities(model.hparams["net"], model.hparams["meta"]).load_state_dict(model.state_dict())


def test_options_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(UsageError, match=r"task\.embedding_frozen"):
        built(embedding="zero", embedding_frozen=True)


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.stem)
def test_experiments_can_be_built(path: Path) -> None:
    """All but the paths of their files is in them."""
    config = resolve([str(path), "data.train=a", "data.valid=b", "data.test=c"])
    assert config.task.name == "ner"
    model = config.task.build(config.net_plain, meta_of(config.data.options["tagging"]))
    assert next(iter(model.eval().predict(["Ada ran"])))
