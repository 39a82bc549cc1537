"""``rnnx resume``: goes on with a run."""

from __future__ import annotations

from rnnx.cli.arguments import Out, ResumeWords, RunName
from rnnx.cli.outcome import outcome
from rnnx.cli.screen import command_line, display, is_watched, say
from rnnx.core.runs import OUT, find_run


def resume(run: RunName, words: ResumeWords = None, out: Out = OUT) -> None:
    """Go on with a run that was stopped, from its last checkpoint, as if it had never been.

    rnnx resume nmt-gru
    """
    folder = find_run(run, out)

    from rnnx.core.experiment import Experiment
    from rnnx.core.processes import leads

    result = Experiment.resume(folder, *(words or ()), command=command_line(), progress=is_watched(), say=say)
    if leads():
        display(outcome(result))
