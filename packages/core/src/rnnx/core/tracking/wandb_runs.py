"""What Weights & Biases wrote of runs on this machine, and whether it can be reached."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias, final

STEP: Final = "trainer/global_step"  # what W&B draws every metric against
State: TypeAlias = Literal["offline", "sent", "online"]


@final
@dataclass(frozen=True)
class Tracked:
    """One stretch of a run that W&B followed; a run that was resumed has several.

    Attributes:
        run: The run's name.
        folder: W&B's own, within the run's.
        state: Tracked offline and still to be sent; offline and sent by ``wandb sync``; or online.
    """

    run: str
    folder: Path
    state: State


def tracked(folder: Path) -> list[Tracked]:
    """What W&B wrote of a run, the oldest first.

    Args:
        folder: The run's.

    Example:
        >>> tracked(Path("/no/such/run"))
        []
    """
    files = sorted(folder.glob("wandb/*run-*-*/*.wandb"), key=lambda file: file.parent.name.split("run-")[1])
    return [Tracked(folder.name, file.parent, _state(file)) for file in files]


def has_key() -> bool:
    """Whether there is a key for W&B, without asking the user or the server."""
    import wandb

    wandb.setup(settings=wandb.Settings(silent=True))
    return bool(wandb.login(prompt=False, verify=False))


def _state(file: Path) -> State:
    if not file.parent.name.startswith("offline-"):
        return "online"
    return "sent" if file.with_name(f"{file.name}.synced").exists() else "offline"
