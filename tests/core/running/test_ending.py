from __future__ import annotations

from rnnx.core.running.ending import Ending


def test_a_run_may_end_with_nothing_to_show() -> None:
    ending = Ending({"test": {}}, 7)
    assert (ending.values, ending.step) == ({"test": {}}, 7)
    assert [len(part) for part in (ending.samples, ending.figures, ending.flows)] == [0, 0, 0]
