from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from statistics import mean

from rnnx.core.sweeps.entries import Entry, Line, lines


def entry(cell: str, seed: int, loss: float | None, failure: str = "") -> Entry:
    values = (
        None if loss is None else {"test": {"loss": loss}, "parameters": 7, "seconds": {"fit": 2.0 * seed}}
    )
    return Entry("lm", cell, seed, Path(f"lm-{cell}-{seed}"), "loss", "min", values, failure)


def test_seeds_come_together() -> None:
    some = [
        entry("gru", 1, 2.0),
        entry("elman", 1, None, "no memory"),
        entry("gru", 2, 4.0),
        entry("gru", 3, None, "?"),
    ]
    gru, elman = lines(some)
    assert gru == Line("lm", "gru", "loss", "min", (2.0, 4.0), 7, mean([2.0, 4.0]), ("?",))
    assert gru.score == "3.000 ± 1.414"  # the square root of 2
    assert elman == Line("lm", "elman", "loss", "min", (), 0, 0.0, ("no memory",))
    assert elman.score == "no memory"
    assert lines([entry("gru", 1, 2.5)])[0].score == "2.500"


def test_lines_differ_in_their_options() -> None:
    some = [
        replace(entry("gru", seed, loss), options={"net.layers": layers, "data": data})
        for seed, layers, data, loss in (
            (1, 1, "a", 1.0),
            (1, 2, "a", 2.0),
            (2, 1, "a", 3.0),
            (1, 1, "b", 4.0),
        )
    ]
    found = lines(some)
    assert [(line.options["net.layers"], line.options["data"], line.scores) for line in found] == [
        (1, "a", (1.0, 3.0)),
        (2, "a", (2.0,)),
        (1, "b", (4.0,)),
    ]
    assert [line.model for line in found] == ["gru layers=1", "gru layers=2", "gru layers=1"]
    assert [line.problem for line in found] == ["lm data=a", "lm data=a", "lm data=b"]
