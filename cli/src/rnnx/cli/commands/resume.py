"""``rnnx resume``: goes on with a run."""

from __future__ import annotations

from rnnx.cli.arguments import Json, Out, ResumeWords, RunName
from rnnx.cli.outcome import tell
from rnnx.cli.screen import command_line, say
from rnnx.core.runs import OUT, find_run


def resume(run: RunName, words: ResumeWords = None, out: Out = OUT, as_json: Json = False) -> None:
    """Go on with a run that was stopped, from its last checkpoint, as if it had never been.

    rnnx resume nmt-gru
    """
    folder = find_run(run, out)

    from rnnx.core.experiment import Experiment

    tell(Experiment.resume(folder, *(words or ()), command=command_line(), say=say), as_json)
