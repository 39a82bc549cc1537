"""Everything that decides a run, and the sections it is written in."""

from __future__ import annotations

from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any, final

from rnnx.core.bounds import Seed
from rnnx.core.files import write_text
from rnnx.core.options import Option, Options
from rnnx.core.runs import OUT
from rnnx.core.spec import Spec, as_plain
from rnnx.core.yaml import yaml

DEFAULTS: dict[str, str | None] = {  # of the sections that name a component, in the order they are shown
    "task": "nmt",
    "cell": "gru",
    "data": "toy",
    "optimizer": "adam",
    "schedule": "constant",
    "logger": "wandb",
    "baseline": None,
}
UNNAMED = {  # the other sections, and whose options they hold
    "net": "rnnx.core.net:Net",
    "trainer": "rnnx.core.running.trainer:Trainer",
    "checkpoint": "rnnx.core.running.checkpoints:Checkpoint",
    "stopping": "rnnx.core.running.stopping:Stopping",
}
KEYS: Options = {
    "seed": Option("seed", Seed, 1, "The seed of every random number."),
    "name": Option("name", str | None, None, "Name of the run; without it, one is made."),
    "out": Option("out", str, OUT, "The folder that holds runs."),
}
SECTIONS = (*DEFAULTS, *UNNAMED)


@final
@dataclass(frozen=True)
class Config:
    """Everything that decides a run. Two runs of one configuration are one experiment.

    Args:
        task: What is learnt.
        cell: The recurrent cell.
        data: What it is learnt from.
        optimizer: How the parameters move.
        schedule: How the learning rate changes.
        logger: Where the run is tracked.
        baseline: A model without a network, or None.
        net: Options of the network around the cell.
        trainer: Options of the trainer.
        seed: The seed of every random number.
        name: Name of the run, or None.
        out: The folder that holds runs.
        checkpoint: Which model is the best, how many are kept, and when a run writes what it can go on from.
        stopping: What ends the training early.
    """

    task: Spec
    cell: Spec
    data: Spec
    optimizer: Spec
    schedule: Spec
    logger: Spec
    baseline: Spec | None
    net: dict[str, Any]
    trainer: dict[str, Any]
    seed: int
    name: str | None
    out: str
    checkpoint: dict[str, Any] = field(default_factory=dict)
    stopping: dict[str, Any] = field(default_factory=dict)

    @property
    def net_plain(self) -> dict[str, Any]:
        """What a task builds its network from: the cell and the options of the net, as JSON knows them."""
        return {"cell": self.cell.to_plain(), **as_plain(self.net)}

    def to_plain(self) -> dict[str, Any]:
        """The whole configuration as JSON knows it, with the keys of the command line."""
        named: dict[str, Spec | None] = {section: getattr(self, section) for section in DEFAULTS}
        components = {
            section: spec.to_plain() | {"name": spec.short} for section, spec in named.items() if spec
        }
        keys = {key: getattr(self, key) for key in KEYS}
        return components | {section: as_plain(getattr(self, section)) for section in UNNAMED} | keys

    def yaml(self) -> str:
        """The whole configuration as YAML 1.2, which ``resolve`` reads back to an equal one."""
        text = StringIO()
        yaml().dump(self.to_plain(), text)
        return text.getvalue()

    def dump(self, path: Path) -> None:
        """Writes :meth:`yaml` to a file, as :func:`rnnx.core.files.write_text`."""
        write_text(path, self.yaml())
