from __future__ import annotations

import math

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.samplers import RandomSampler

from rnnx.core.errors import UsageError
from rnnx.core.resolution import resolve
from rnnx.core.sweeps.search_space import SearchSpace


def sampled(space: SearchSpace, seed: int) -> list[str]:
    """The words of three trials."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=RandomSampler(seed))
    return [word for _ in range(3) for word in space.words(study.ask(dict(space.searched)).params)]


def test_what_is_no_choice_and_no_range_stands() -> None:
    words = [
        "some.yaml",
        "task=lm",
        "data.split=[1,2]",
        "data.text='a,b.txt'",
        'name="int:1..2"',
        "task.note=uniformly",
        "trainer.max_time=00:01:00:00",
    ]
    assert SearchSpace.parse(words) == SearchSpace(tuple(words), {})


def test_the_last_word_of_a_key_wins() -> None:
    space = SearchSpace.parse(["cell=gru,lstm", "net.layers=2", "cell=rhn", "net.layers=int:1..2"])
    assert list(space.searched) == ["net.layers"]
    assert resolve(space.words({"net.layers": 1})).cell.name == "rhn"
    assert resolve(space.words({"net.layers": 1})).net["layers"] == 1


@pytest.mark.parametrize(
    ("word", "typed"),
    [
        ("k=a,b", ["a", "b"]),
        ("k=[1,2],[3]", ["[1,2]", "[3]"]),
        ("k=int:1..3", ["1", "2", "3"]),
        ("k=int:64..256..64", ["64", "128", "192", "256"]),
        ("k=int:-2..2..2", ["-2", "0", "2"]),
        ("k=logint:1..4", ["1", "2", "3", "4"]),
        ("k=uniform:0..0.5..0.1", ["0", "0.1", "0.2", "0.3", "0.4", "0.5"]),
        ("k=uniform:1e-3..2e-3..5e-4", ["0.001", "0.0015", "0.002"]),
    ],
)
def test_all_values_of_a_grid(word: str, typed: list[str]) -> None:
    space = SearchSpace.parse([word])
    assert [space.typed(values)["k"] for values in space.grid()] == typed


def test_a_grid_is_the_product() -> None:
    space = SearchSpace.parse(["cell=gru,lstm", "net.layers=int:1..3", "task=lm"])
    assert [space.words(values) for values in space.grid()] == [
        ["task=lm", f"cell={cell}", f"net.layers={layers}"]
        for cell in ("gru", "lstm")
        for layers in (1, 2, 3)
    ]


def test_a_grid_has_steps() -> None:
    words = ["net.dropout=uniform:0..0.5", "optimizer.lr=loguniform:1e-4..1e-2", "net.layers=int:1..2"]
    with pytest.raises(UsageError) as error:
        SearchSpace.parse(words).grid()
    assert [problem.partition(":")[0] for problem in error.value.problems] == ["net.dropout", "optimizer.lr"]


@pytest.mark.parametrize(
    "word",
    [
        "k=int:1",
        "k=int:",
        "k=int:1..2..1..1",
        "k=int:1..2.5",
        "k=int:a..b",
        "k=int:3..1",
        "k=int:1..1",
        "k=int:1..10..2",
        "k=int:1..9..0",
        "k=logint:0..4",
        "k=logint:1..9..2",
        "k=uniform:0..nan",
        "k=uniform:0..inf",
        "k=uniform:0..1..0.3",
        "k=uniform:0..1..-0.1",
        "k=loguniform:0..1",
        "k=loguniform:1..2..0.1",
        "k=a,b,a",
    ],
)
def test_what_is_wrong_is_said_with_the_form_that_is_right(word: str) -> None:
    with pytest.raises(UsageError) as error:
        SearchSpace.parse([word, "cell=gru,lstm", "other=int:x"])
    mine, other = error.value.problems
    assert mine.startswith("k: expected ")
    assert other.startswith("other: expected int:LOWEST..HIGHEST")


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("seed=1..3", "int:1..3"),
        ("cell.hidden_size=64..512..64", "int:64..512..64"),
        ("net.dropout=0..0.5", "uniform:0..0.5"),
        ("optimizer.lr=1e-4..1E-2", "uniform:1e-4..1E-2"),
        ("a.b=-1...5", "uniform:-1...5"),
    ],
)
def test_a_range_without_its_kind_is_told_with_one(word: str, meant: str) -> None:
    key, _, text = word.partition("=")
    with pytest.raises(UsageError) as refused:
        SearchSpace.parse([word])
    assert str(refused.value) == (
        f"{key}: expected the kind of a range before it, got {text!r}; write {key}={meant}"
    )
    assert SearchSpace.parse([f"{key}={meant}"]).searched.keys() == {key}


def test_a_path_is_no_range() -> None:
    words = ("data.train=..", "data.valid=../1..3", "data.test='1..3'", "data.text=1..3.txt")
    assert SearchSpace.parse(words).fixed == words


def test_a_range_of_no_kind_is_told_from_a_text() -> None:
    with pytest.raises(UsageError) as error:
        SearchSpace.parse(["k=log:1..2", "n=log_uniform:1e-4..1e-2"])
    kinds = "expected a range of one of the kinds uniform, loguniform, int, logint"
    assert error.value.problems == (
        f"k: {kinds}, got 'log:1..2'; did you mean 'logint'?",
        f"n: {kinds}, got 'log_uniform:1e-4..1e-2'; did you mean 'loguniform'?",
    )
    assert SearchSpace.parse(["data.train=disk:../a"]).fixed == ("data.train=disk:../a",)


def test_corners_are_each_choice_and_both_ends() -> None:
    space = SearchSpace.parse(["optimizer.lr=loguniform:1e-4..1e-2", "net.skip=none,residual,dense"])
    assert [tuple(values.values()) for values in space.corners()] == [
        (1e-4, "none"),
        (1e-2, "none"),
        (1e-4, "residual"),
        (1e-4, "dense"),
    ]


def test_corners_put_every_option_beside_every_component() -> None:
    space = SearchSpace.parse(["cell.bias=a,b", "cell=gru,lstm", "optimizer.name=sgd,adam"])
    found = {(v["cell"], v["optimizer.name"], v["cell.bias"]) for v in space.corners()}
    assert found == {(c, o, b) for c in ("gru", "lstm") for o in ("sgd", "adam") for b in "ab"}


def test_a_space_without_a_search_has_one_corner() -> None:
    assert list(SearchSpace.parse(["task=lm"]).corners()) == [{}]


@settings(max_examples=20, deadline=None)
@given(
    low=st.integers(1, 50),
    steps=st.integers(1, 20),
    step=st.integers(1, 9),
    log=st.booleans(),
    seed=st.integers(0, 999),
)
def test_integers_lie_in_their_range_and_on_its_steps(
    low: int, steps: int, step: int, log: bool, seed: int
) -> None:
    high = low + steps * step
    text = f"logint:{low}..{high}" if log else f"int:{low}..{high}..{step}"
    for word in sampled(SearchSpace.parse([f"cell.hidden_size={text}"]), seed):
        size = resolve([word]).cell.options["hidden_size"]
        assert size in range(low, high + 1, 1 if log else step)


@settings(max_examples=20, deadline=None)
@given(
    low=st.floats(1e-12, 1e3),
    ratio=st.floats(1, 1e6, exclude_min=True),
    kind=st.sampled_from(["uniform", "loguniform"]),
    seed=st.integers(0, 999),
)
def test_numbers_lie_in_their_range(low: float, ratio: float, kind: str, seed: int) -> None:
    high = math.nextafter(low * ratio, math.inf)
    for word in sampled(SearchSpace.parse([f"optimizer.lr={kind}:{low!r}..{high!r}"]), seed):
        assert low <= resolve([word]).optimizer.options["lr"] <= high


@settings(max_examples=20, deadline=None)
@given(tenth=st.integers(0, 5), steps=st.integers(1, 4), seed=st.integers(0, 999))
def test_numbers_lie_on_the_steps(tenth: int, steps: int, seed: int) -> None:
    low, high = tenth / 10, (tenth + steps) / 10
    on_steps = [float(f"0.{tenth + step}") for step in range(steps + 1)]
    for word in sampled(SearchSpace.parse([f"net.dropout=uniform:{low}..{high}..0.1"]), seed):
        assert resolve([word]).net["dropout"] in on_steps
