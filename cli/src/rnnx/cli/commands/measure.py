"""``rnnx test``: measures a model anew."""

from __future__ import annotations

from rnnx.cli.arguments import Json, ModelName, Out, TestWords
from rnnx.cli.outcome import metrics
from rnnx.cli.screen import display, display_json
from rnnx.core.errors import UsageError
from rnnx.core.runs import OUT, divide, find_model


def measure(run: ModelName, words: TestWords = None, out: Out = OUT, as_json: Json = False) -> None:
    """Measure a run's model anew, on its test data or on others.

    rnnx test nmt-gru
    rnnx test nmt-gru task.beam_size=10 data.test=test_2017_flickr
    rnnx test nmt-gru nmt-lstm
    rnnx test nmt-gru/checkpoints/last.ckpt
    """
    model = find_model(run, out)
    others, words = divide(words or (), out)
    if strange := [word for word in words if "=" not in word]:
        expected = f"expected SECTION.OPTION=VALUE, or another run, and {out} has none of that name"
        raise UsageError(*(f"{word!r}: {expected}" for word in strange))

    from rnnx.core.run import Run

    measured = Run.ensemble([model, *others], *words).test()
    if as_json:
        display_json(measured)
    else:
        display(metrics({"test": measured}))
