"""The language model against one pass over the whole text, hand calculation and enumeration."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import islice, product
from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch
from torch import Tensor

from rnnx.core.batch import Batch
from rnnx.core.errors import InputError, RunError, UsageError
from rnnx.core.exhibits.heat import Heat
from rnnx.core.experiment import Experiment
from rnnx.core.resolution import resolve
from rnnx.core.running.optimizers import Adam
from rnnx.tasks.data.lm.streams import streamed
from rnnx.tasks.lm import LanguageModel
from rnnx.tasks.parts.texts.vocabulary import EOS, UNK, Level, Vocabulary

TEXT = ["a cab", "bad cab", "a bad", "dad", ""]
GRU = {"name": "gru", "hidden_size": 6}
NET: dict[str, Any] = {"cell": GRU}

doubles = pytest.mark.usefixtures("doubles")
quiet = pytest.mark.filterwarnings(
    "ignore:.*does not have many workers",
    "ignore:.*LeafSpec.*:FutureWarning",  # lightning's use of torch
    "ignore:GPU available but not used",
    "ignore:.*logging interval",
)
each_level = pytest.mark.parametrize("level", ["char", "word", "bpe"])


def read(level: Level, lines: Sequence[str] = TEXT) -> tuple[Vocabulary, list[int], dict[str, Any]]:
    """A vocabulary, the text in its tokens, and what data of this text would tell of it."""
    if level == "char":
        vocabulary = Vocabulary.train([f"{line}\n" for line in lines], "char", specials=())
        tokens = [token for ids in vocabulary.encode([f"{line}\n" for line in lines]) for token in ids]
        start = vocabulary.tokens.index("\n")
    else:
        vocabulary = Vocabulary.train(lines, level, specials=(UNK, EOS))
        tokens = [token for ids in vocabulary.encode(lines) for token in (*ids, vocabulary.eos)]
        start = vocabulary.eos
    splits = ("train", "valid", "test")
    meta = {
        "level": level,
        "vocabulary": vocabulary.to_plain(),
        "vectors": None,
        "start": start,
        "tokens": dict.fromkeys(splits, len(tokens)),
        "characters": dict.fromkeys(splits, sum(len(line) + 1 for line in lines)),
    }
    return vocabulary, tokens, meta


VOCABULARY, TOKENS, META = read("char")
START = META["start"]


def built(
    net: dict[str, Any] = NET, meta: dict[str, Any] = META, sharp: float = 3.0, **options: Any
) -> LanguageModel:
    """A model that says something: weights larger than at the start of a training, from a seed."""
    torch.manual_seed(1)
    options = {"embedding_size": 5, "dropout": 0.0, "initial_range": 0.5} | options
    model = LanguageModel(net, meta, **options)
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(sharp)
    return model.eval()


@torch.no_grad()
def predicted(model: LanguageModel, inputs: Sequence[int]) -> Tensor:
    """The log-probabilities after each of some tokens, read one by one from the beginning of a text."""
    state, rows = model.recurrent.initial_state(1, model.embedding.weight), []
    for token in inputs:
        y, state = model.recurrent.step(model.embedding.weight[token : token + 1], state)
        rows.append(model.output(model.narrow(y))[0].log_softmax(0))
    return torch.stack(rows)


def nats(model: LanguageModel, start: int, tokens: Sequence[int]) -> float:
    """Minus the log-probability of a text from its beginning."""
    rows = predicted(model, [start, *tokens[:-1]])
    return -sum(row[token].item() for row, token in zip(rows, tokens, strict=True))


def total(model: LanguageModel, batches: Sequence[Batch]) -> tuple[float, int]:
    """The sum of the losses of batches, and of their counts."""
    losses = [model.loss(model(batch), batch) for batch in batches]
    return sum(loss.total.item() for loss in losses), sum(int(loss.count) for loss in losses)


# ------------------------------------------------------------------------------------ reading a text


@doubles
@pytest.mark.parametrize("bptt", [1, 4, 7, 1000])
def test_chunks_are_one_pass_over_the_text(cell: dict[str, Any], bptt: int) -> None:
    assert len(TOKENS) == 25  # which neither 4 nor 7 divides
    model = built({"cell": cell, "layers": 2, "skip": "residual"})
    loss, count = total(model, list(streamed(TOKENS, 1, bptt, START)))
    assert loss == pytest.approx(nats(model, START, TOKENS), rel=1e-6)
    assert count == 25


@doubles
@pytest.mark.parametrize("streams", [2, 3, 7])
def test_each_stream_is_a_text_of_its_own(streams: int) -> None:
    """Its first input is the token before it; its state begins at zero; padding counts for nothing."""
    model = built()
    expected, place = 0.0, 0
    for row in range(streams):
        size = 25 // streams + (row < 25 % streams)
        expected += nats(model, START if place == 0 else TOKENS[place - 1], TOKENS[place : place + size])
        place += size
    loss, count = total(model, list(streamed(TOKENS, streams, 4, START)))
    assert (loss, count) == (pytest.approx(expected, rel=1e-6), 25)


@doubles
def test_a_text_that_does_not_continue_begins_anew() -> None:
    model = built()
    batches = list(streamed(TOKENS, 2, 4, START))
    first = total(model, batches)
    assert total(model, batches) == first


@doubles
def test_no_graph_goes_beyond_a_chunk(cell: dict[str, Any]) -> None:
    model = built({"cell": cell}).train()
    tokens = [0, 1, 2, 0, 1, 3, 4, 5, 3, 4]
    first, second = streamed(tokens, 1, 5, START)
    model.loss(model(first), first).total.backward()
    model.zero_grad()
    model.loss(model(second), second).total.backward()  # a second time through the first would be an error
    gradient = model.embedding.weight.grad
    assert gradient is not None
    assert {n for n, row in enumerate(gradient.tolist()) if any(row)} == {
        1,
        3,
        4,
        5,
    }  # the inputs of the second


@doubles
def test_training_and_validation_carry_states_of_their_own() -> None:
    """A validation in mid-epoch is from the beginning, and the training goes on as if there had been none."""
    model = built()
    training, validation = list(streamed(TOKENS, 2, 4, START)), list(streamed(TOKENS[::-1], 1, 6, START))
    apart = total(model.train(), training), total(model.eval(), validation)

    losses = []
    for batch in training:
        model.train()
        losses.append(total(model, [batch])[0])
        assert total(model.eval(), validation) == apart[1]
    assert sum(losses) == pytest.approx(apart[0][0], rel=1e-12)


def test_dropout_is_on_what_is_predicted_from_and_only_in_training() -> None:
    model = built(dropout=1.0)
    (batch,) = streamed(TOKENS, 1, 30, START)
    with torch.no_grad():
        model.output.bias.normal_()
        expected = model.output.bias.expand(1, 25, -1)
        torch.testing.assert_close(model.output(model.train()(batch)), expected)
        assert not torch.allclose(model.output(model.eval()(batch)), expected)


# -------------------------------------------------------------------------------------- how it is made


@pytest.mark.parametrize(("width", "narrowed"), [(6, False), (4, True)])
@doubles
def test_the_tied_softmax(width: int, narrowed: bool) -> None:
    """The embeddings are the output's matrix; where the net is wider, a layer between makes it fit."""
    model = built(tied=True, embedding_size=width)
    torch.nn.init.normal_(model.output.bias)
    assert model.output.weight is model.embedding.weight
    (batch,) = streamed(TOKENS, 1, 30, START)
    y, _ = model.recurrent(model.embedding(batch.inputs))
    if narrowed:
        y = y @ model.narrow.weight.T + model.narrow.bias
    torch.testing.assert_close(model.output(model(batch)), y @ model.embedding.weight.T + model.output.bias)
    assert sum(p.numel() for p in model.narrow.parameters()) == (6 * 4 + 4 if narrowed else 0)


def test_untied_there_is_another_matrix_as_wide_as_the_net() -> None:
    model = built(embedding_size=4)
    assert model.output.weight is not model.embedding.weight
    assert model.output.weight.shape == (len(VOCABULARY), 6)
    assert not list(model.narrow.parameters())


def test_it_begins_uniform() -> None:
    model = LanguageModel(NET, META, embedding_size=200, embedding_scale=0.02, initial_range=0.04)
    for weight, bound in ((model.embedding.weight, 0.02), (model.output.weight, 0.04)):
        assert 0.9 * bound < weight.abs().max() <= bound
    assert model.embedding.weight.std().item() == pytest.approx(0.02 / math.sqrt(3), rel=0.1)
    assert (model.output.bias == 0).all()


@doubles
def test_one_hot_tokens_are_columns_of_what_reads_them() -> None:
    """Of a net that adds ``W x`` to the rest, a token's number chooses a column of ``W``."""
    torch.manual_seed(0)
    net = {"cell": {"name": "elman", "hidden_size": 6}}
    model = LanguageModel(net, META, embedding="one-hot", dropout=0.0)
    weights = dict(model.named_parameters())
    (name,) = (name for name in weights if name.endswith("weight_ih"))
    bias = sum(weight for key, weight in weights.items() if ".bias" in key and key.startswith("recurrent"))
    tokens = torch.arange(len(VOCABULARY)).unsqueeze(1)
    h = torch.tanh(weights[name].T + bias)
    expected = h @ model.output.weight.T + model.output.bias
    lengths = torch.ones(len(tokens), dtype=torch.long)
    found = model(Batch(tokens, lengths, tokens, tokens[:, 0]))
    torch.testing.assert_close(model.output(found[:, 0]), expected, rtol=0, atol=1e-12)
    assert not any(key.startswith("embedding") for key in weights)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (
            {"embedding": "one-hot"},
            "one-hot embeddings have no matrix that the output layer could share; set task.tied=false",
        ),
        (
            {"embedding_frozen": True},
            "the output layer would stay as it starts, as frozen embeddings do; set task.tied or "
            "task.embedding_frozen to false",
        ),
    ],
)
def test_what_cannot_be_tied_is_refused(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(UsageError) as refused:
        LanguageModel(NET, META, tied=True, **options)
    assert str(refused.value) == f"task.tied: {problem}"


@quiet
def test_a_run_with_vectors_is_loaded_without_their_file(tmp_path: Path) -> None:
    text, file = tmp_path / "text.txt", tmp_path / "vectors.txt"
    text.write_text("a bad cab\na cab\n" * 20)
    file.write_text("cab 1 2 3\na 4 5 6\nBad 7 8 9\n")
    words = [f"data.{split}={text}" for split in ("train", "valid", "test")]
    words += [f"data.vectors={file}", "task.embedding_frozen=true", "trainer.max_epochs=1", "logger=none"]
    words += ["cell=elman", "cell.hidden_size=4", "data.batch_size=2", f"out={tmp_path}"]
    result = Experiment(resolve(["task=lm", "data=files", *words])).run()
    file.unlink()
    run = Experiment.load(result.folder)
    assert isinstance(run.task, LanguageModel)
    tokens, weight = run.task.vocabulary.tokens, run.task.embedding.state_dict()["weight"]
    assert weight[[tokens.index("cab"), tokens.index("a")]].tolist() == [[1, 2, 3], [4, 5, 6]]
    assert run.test() == pytest.approx(result.values["test"], rel=1e-4)


def test_a_net_that_reads_the_future_is_refused() -> None:
    with pytest.raises(UsageError) as caught:
        LanguageModel({"cell": GRU, "bidirectional": True}, META)
    assert str(caught.value) == (
        "net.bidirectional: task 'lm' predicts the next token, so its net must not read the future; "
        "set net.bidirectional=false"
    )


# ------------------------------------------------------------------------------------------ generation


def most_probable(model: LanguageModel, inputs: Sequence[int], length: int) -> list[int]:
    """The most probable token each time."""
    text = list(inputs)
    for _ in range(length):
        text.append(int(predicted(model, text)[-1].argmax()))
    return text[len(inputs) :]


@doubles
@pytest.mark.parametrize("options", [{"temperature": 0.0}, {"top_k": 1}, {"top_p": 1e-9}])
def test_the_coldest_draw_is_the_most_probable_token(cell: dict[str, Any], options: dict[str, float]) -> None:
    model = built({"cell": cell, "layers": 2})
    prompts = ["", "a c", "dad\nb"]
    expected = [
        prompt + VOCABULARY.decode(most_probable(model, [START, *VOCABULARY.encode([prompt])[0]], 9))
        for prompt in prompts
    ]
    assert list(model.predict(prompts, length=9, **options)) == expected  # type: ignore[arg-type]


def test_a_seed_makes_the_same_text_again() -> None:
    model = built()

    def texts(seed: int | None) -> list[str]:
        return list(model.predict(["a ", "b", "a "], length=30, seed=seed))

    assert texts(3) == texts(3)
    assert texts(3) != texts(4)
    assert texts(None) != texts(None)
    first, second, third = texts(3)
    assert (first[:2], second[:1]) == ("a ", "b")
    assert [len(first), len(second)] == [32, 31]
    assert first != third  # one seed for all, not the same draw for each


def test_tokens_are_drawn_as_often_as_they_are_probable() -> None:
    """The first token after "da" in 2000 draws, within four standard deviations."""
    model, draws = built(sharp=2.0), 2000
    probabilities = predicted(model, [START, *VOCABULARY.encode(["da"])[0]])[-1].exp()
    texts = list(model.predict(["da"] * draws, length=1, seed=1))
    for token, p in zip(VOCABULARY.tokens, probabilities.tolist(), strict=True):
        count = sum(text == f"da{token}" for text in texts)
        assert abs(count - draws * p) <= 4 * math.sqrt(draws * p * (1 - p)) + 1


def test_a_prompt_of_words_is_continued_after_a_blank() -> None:
    vocabulary, _, meta = read("word")
    model = built(meta=meta)
    for prompt in ("a bad", ""):
        expected = most_probable(model, [vocabulary.eos, *vocabulary.encode([prompt])[0]], 6)
        (text,) = model.predict([prompt], length=6, temperature=0.0)
        lines = " ".join("\n" if n == vocabulary.eos else vocabulary.tokens[n] for n in expected)
        blank = " " if prompt else ""
        assert text == prompt + blank + lines.replace(" \n ", "\n").replace(" \n", "\n").replace("\n ", "\n")


def saying(token: str, level: Level) -> LanguageModel:
    """A model that says one token, always."""
    vocabulary, _, meta = read(level, ["a bad", "a bad", "bad"])
    model = built(meta=meta)
    with torch.no_grad():
        model.output.bias[vocabulary.tokens.index(token)] = 1e3
    return model


@pytest.mark.parametrize(
    ("level", "token", "prompt", "expected"),
    [
        ("bpe", "▁bad", "a", "a bad bad"),
        ("bpe", "▁bad", "", "bad bad"),
        ("bpe", "b", "a b", "a bbb"),
        ("bpe", EOS, "a", "a\n\n"),
        ("word", "bad", "a", "a bad bad"),
        ("word", "bad", "", "bad bad"),
        ("char", " ", "a", "a  "),
        ("char", " ", "", "  "),
    ],
)
def test_blanks_stand_where_the_next_word_begins(
    level: Level, token: str, prompt: str, expected: str
) -> None:
    model = saying(token, level)
    assert list(model.predict([prompt], length=2)) == [expected]
    (*_, shown) = model.generate(prompt, length=2)
    heat = shown["text"]
    assert isinstance(heat, Heat)
    assert heat.text == "".join(piece for column in heat.columns for piece, _ in column) == expected


def test_a_subword_that_begins_a_word_is_told_from_one_that_does_not() -> None:
    model = saying("▁bad", "bpe")
    (answer,) = model.predict(["a"], mode="complete", length=2, n_best=1)
    assert answer == " bad bad\t0.0000"
    (shown,) = model.expect("a bad", guesses=1)
    heat = shown["expected"]
    assert isinstance(heat, Heat)
    assert [[piece for piece, _ in column] for column in heat.columns] == [[" a", "␣bad"], [" bad", "␣bad"]]


@each_level
def test_of_nothing_the_views_show_what_begins_a_text(level: Level) -> None:
    model = built(meta=read(level)[2])
    (shown,) = model.expect("")
    assert (shown["expected"].text, shown["bits"].text) == ("", "0.0 in all, 0.00 a token")
    (*_, last) = model.generate("", length=1)
    assert isinstance(last["text"], Heat)
    assert len(last["text"].columns) == 2
    assert model._read_aloud("") == ["▸"]


def test_an_end_among_the_guesses_is_a_line_break_alone() -> None:
    (shown,) = saying(EOS, "word").expect("a bad", guesses=1)
    heat = shown["expected"]
    assert isinstance(heat, Heat)
    assert [[piece for piece, _ in column] for column in heat.columns] == [["a ", "↵"], ["bad ", "↵"]]


@each_level
def test_every_level_generates_completes_and_scores(level: Level) -> None:
    vocabulary, _, meta = read(level)
    model = built(meta=meta)
    assert len(list(model.predict(["a cab", ""], length=8, seed=0))) == 2
    assert len(list(model.predict(["a cab", ""], mode="complete", length=3, n_best=2))) == 4
    for line in ("a cab", "bad", ""):
        (ids,) = vocabulary.encode([line])
        ending = START if level == "char" else vocabulary.eos
        (answer,) = model.predict([line], mode="score")
        score, _, text = answer.partition("\t")
        assert text == line
        assert float(score) == pytest.approx(-nats(model, meta["start"], [*ids, ending]), abs=1e-3)


def test_prompts_are_read_when_their_turn_comes() -> None:
    def endless() -> Iterator[str]:
        while True:
            yield "a"

    short: dict[str, Any]
    for short in ({"length": 2}, {"mode": "complete", "length": 2}, {"mode": "score"}):
        assert len(list(islice(built().predict(endless(), **short), 3))) == 3


# ----------------------------------------------------------------------------- completions and scores


@doubles
@pytest.mark.parametrize("prompt", ["", "ab"])
def test_completions_are_the_most_probable_of_all(prompt: str) -> None:
    """4 characters, 3 places: 64 continuations."""
    vocabulary, _, meta = read("char", ["ab", "bca"])
    assert len(vocabulary) == 4
    model = built(meta=meta, sharp=2.0)
    given = [meta["start"], *vocabulary.encode([prompt])[0]]
    found = []
    for tokens in product(range(4), repeat=3):
        rows = predicted(model, [*given, *tokens[:-1]])[len(given) - 1 :]
        found.append(
            (sum(row[n].item() for row, n in zip(rows, tokens, strict=True)), vocabulary.decode(tokens))
        )
    expected = sorted(found, reverse=True)[:10]
    answers = [
        answer.split("\t")
        for answer in model.predict([prompt], mode="complete", length=3, n_best=10, beam_size=64)
    ]
    assert [text for text, _ in answers] == [text.replace("\n", "\\n") for _, text in expected]
    assert [float(score) for _, score in answers] == pytest.approx([score for score, _ in expected], abs=1e-4)


def test_completions_are_as_many_as_asked_for() -> None:
    answers = list(built().predict(["a", "b"], mode="complete", length=2, n_best=12, beam_size=3))
    assert len(answers) == 24
    assert len(list(built().predict(["a"], mode="complete", length=2))) == 5


@pytest.mark.parametrize("mode", ["generate", "complete"])
def test_of_a_model_whose_numbers_are_none_there_is_no_text(mode: Any) -> None:
    model = built()
    with torch.no_grad():
        model.output.bias.fill_(math.nan)
    with pytest.raises(RunError, match=r"finite.*; train again with a lower optimizer\.lr"):
        list(model.predict(["a"], mode=mode))


@doubles
def test_scores_are_of_the_line_and_its_end() -> None:
    model = built()
    lines = ["a cab", "", "dad"]
    answers = [answer.split("\t") for answer in model.predict(lines, mode="score")]
    assert [line for _, line in answers] == lines
    for (score, _), line in zip(answers, lines, strict=True):
        (ids,) = VOCABULARY.encode([f"{line}\n"])
        assert score == f"{-nats(model, START, ids):.4f}"


def test_what_was_scored_before_does_not_matter() -> None:
    """Each line stands at the beginning of a text."""
    model = built()
    alone = [answer for line in TEXT for answer in model.predict([line], mode="score")]
    assert list(model.predict(TEXT, mode="score")) == alone


@pytest.mark.parametrize(
    ("mode", "options", "idle"),
    [
        ("score", {"top_k": 3, "length": 5}, ["length", "top_k"]),
        ("generate", {"n_best": 5, "top_p": 0.5}, ["n_best"]),
        ("complete", {"temperature": 1.0, "seed": 1, "beam_size": 2}, ["temperature", "seed"]),
    ],
)
def test_an_option_of_another_mode_is_refused(mode: Any, options: dict[str, Any], idle: list[str]) -> None:
    with pytest.raises(UsageError) as refused:
        list(built().predict(["a"], mode=mode, **options))
    assert refused.value.problems == tuple(
        f"{name}: of no use with mode={mode}; leave it out" for name in idle
    )


def test_an_unknown_character_is_refused_and_an_unknown_word_is_the_unknown_word() -> None:
    with pytest.raises(InputError, match=r"^the input:2: .* the character 'z' does not occur"):
        list(built().predict(["ab", "a zab"], mode="score"))
    _, _, meta = read("word")
    model = built(meta=meta)
    scores = [answer.split("\t")[0] for answer in model.predict(["zebra", "<unk>", "dad"], mode="score")]
    assert scores[0] == scores[1] != scores[2]


# ---------------------------------------------------------------------------------- several models

OTHER: dict[str, Any] = {"cell": {"name": "lstm", "hidden_size": 4}, "layers": 2}


def joined(*more: LanguageModel) -> tuple[LanguageModel, list[LanguageModel]]:
    """A model that others are joined with; and all of them, each alone."""
    alone = [built(), built(OTHER, tied=True, sharp=4.0), *more]
    whole, *others = built(), built(OTHER, tied=True, sharp=4.0), *more
    for other in others:
        whole.join(other)
    return whole, alone


def mean_predicted(models: Sequence[LanguageModel], inputs: Sequence[int]) -> Tensor:
    """The logarithm of the mean of their probabilities."""
    return torch.stack([predicted(model, inputs).exp() for model in models]).mean(0).log()


@doubles
@pytest.mark.parametrize("bptt", [4, 1000])
def test_the_loss_of_several_is_that_of_the_mean_of_their_probabilities(bptt: int) -> None:
    """Each carries a state of its own from chunk to chunk, and padding counts for nothing."""
    whole, alone = joined(built({"cell": {"name": "elman", "hidden_size": 3}}))
    batches, expected, place = list(streamed(TOKENS, 2, bptt, START)), 0.0, 0
    for size in (13, 12):
        tokens = TOKENS[place : place + size]
        rows = mean_predicted(alone, [START if place == 0 else TOKENS[place - 1], *tokens[:-1]])
        expected -= rows[range(size), tokens].sum().item()
        place += size
    assert total(whole, batches) == (pytest.approx(expected, rel=1e-6), 25)
    assert total(whole, batches)[0] != pytest.approx(total(alone[0], batches)[0], rel=1e-2)


@doubles
def test_a_line_has_the_mean_of_the_probabilities() -> None:
    whole, alone = joined()
    for line in ("", "a cab", "dd"):
        (tokens,) = VOCABULARY.encode([f"{line}\n"])
        rows = mean_predicted(alone, [START, *tokens[:-1]])
        expected = rows[range(len(tokens)), tokens].sum().item()
        (answer,) = whole.predict([line], mode="score")
        assert float(answer.split("\t")[0]) == pytest.approx(expected, abs=1e-4)


@doubles
@pytest.mark.parametrize("prompt", ["", "ab"])
def test_several_continue_by_the_mean_of_their_probabilities(prompt: str) -> None:
    whole, alone = joined()
    (given,) = VOCABULARY.encode([prompt])
    tokens = [START, *given]
    for _ in range(12):
        tokens.append(int(mean_predicted(alone, tokens)[-1].argmax()))
    (drawn,) = whole.predict([prompt], temperature=0, length=12)
    assert drawn == VOCABULARY.decode(tokens[1:])
    found = []
    for pair in product(range(len(VOCABULARY)), repeat=2):
        rows = mean_predicted(alone, [START, *given, pair[0]])
        found.append((rows[-2, pair[0]].item() + rows[-1, pair[1]].item(), pair))
    best = [f"{VOCABULARY.decode(pair)}\t{log:.4f}".replace("\n", r"\n") for log, pair in sorted(found)[::-1]]
    answers = list(whole.predict([prompt], mode="complete", length=2, n_best=5, beam_size=40))
    assert answers == best[:5]


def test_models_that_predict_other_tokens_are_not_joined() -> None:
    _, _, meta = read("char", ["a cab", "e"])
    with pytest.raises(UsageError, match=r"^expected one vocabulary, got .*; train both on the same data$"):
        built().join(built(meta=meta))


# ------------------------------------------------------------------------------------------- the scores


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


@quiet
@each_level
def test_perplexity_and_bits_are_over_every_token_of_the_text(level: Level, tmp_path: Path) -> None:
    """Also where the last chunk is short, and where the streams differ in length."""
    _, tokens, meta = read(level)
    model = built(meta=meta, sharp=1.0)
    (values,) = trainer(tmp_path).test(model, streamed(tokens, 1, 4, meta["start"]), verbose=False)
    expected = nats(model, meta["start"], tokens)
    characters = len("a cab\nbad cab\na bad\ndad\n\n")
    assert values == pytest.approx(
        {
            "test/loss": expected / len(tokens),
            "test/perplexity": math.exp(expected / len(tokens)),
            "test/bits_per_character": expected / math.log(2) / characters,
        },
        rel=1e-5,
    )


@quiet
def test_the_splits_have_characters_of_their_own(tmp_path: Path) -> None:
    """A model of equal probabilities: log2(V) bits a token, and two or half a token a character."""
    meta = META | {"tokens": {"valid": 50, "test": 20}, "characters": {"valid": 25, "test": 40}}
    model = LanguageModel(NET, meta, initial_range=0.0)  # the output's weights
    run = trainer(tmp_path)
    batches = streamed(TOKENS, 3, 4, START)
    (valid,) = run.validate(model, batches, verbose=False)
    (test,) = run.test(model, batches, verbose=False)
    bits = math.log2(len(VOCABULARY))
    assert valid["valid/bits_per_character"] == pytest.approx(2 * bits, rel=1e-6)
    assert test["test/bits_per_character"] == pytest.approx(bits / 2, rel=1e-6)
    assert test["test/perplexity"] == pytest.approx(len(VOCABULARY), rel=1e-6)


@quiet
def test_it_learns_and_its_checkpoint_writes_without_the_data(tmp_path: Path) -> None:
    torch.manual_seed(0)
    tokens = TOKENS * 4
    net = {"cell": {"name": "lstm", "hidden_size": 24}}
    model = LanguageModel(net, META, embedding_size=16, dropout=0.0)
    model.optimizer = Adam(lr=0.02)
    run = trainer(tmp_path, epochs=25)
    run.fit(model, streamed(tokens, 2, 10, START), streamed(tokens, 1, 10, START))
    assert run.callback_metrics["valid/perplexity"] < 1.5  # 7 characters at first
    run.save_checkpoint(tmp_path / "model.ckpt")

    plain = torch.load(tmp_path / "model.ckpt", weights_only=True)
    assert plain["hyper_parameters"]["meta"] == META
    again = LanguageModel.load_from_checkpoint(tmp_path / "model.ckpt", weights_only=True).eval()
    text = "a cab\nbad cab\na bad\ndad\n\n"
    assert list(again.predict([text + "a"], length=24, temperature=0.0)) == [text + text]
    assert (LanguageModel.monitor, LanguageModel.mode) == ("perplexity", "min")


# ------------------------------------------------------------------------------------------ the samples


def test_samples_continue_the_first_half_of_each_row() -> None:
    model = built()
    batch = Batch(
        torch.tensor([[START, *TOKENS[:4]], [*TOKENS[4:8], 0], [0] * 5]),
        torch.tensor([5, 4, 0]),
        torch.zeros(3, 5, dtype=torch.long),
        torch.arange(3),
    )
    samples = model.samples(batch)
    assert [sample["prompt"].text for sample in samples] == [
        VOCABULARY.decode([START, *TOKENS[:2]]),
        VOCABULARY.decode(TOKENS[4:6]),
    ]
    assert all(sample.keys() == {"prompt", "continuation"} for sample in samples)
    assert all(len(sample["continuation"].text) == 60 for sample in samples)
    assert model.figures(batch) == {}
