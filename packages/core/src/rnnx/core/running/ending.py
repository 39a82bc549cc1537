"""What a run came to, as those who follow it are told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, final

from rnnx.core.exhibits.exhibit import Exhibit
from rnnx.core.gradient_flow import Flow

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@final
@dataclass(frozen=True)
class Ending:
    """The end of a run.

    Attributes:
        values: What ``result.json`` holds.
        step: After which the best model was kept, from 0, as ``metrics.csv`` counts.
        samples: Sample outputs on the test split, a row each.
        figures: Pictures by name.
        flows: How gradients flow through the layers that read sequences.
    """

    values: Mapping[str, Any]
    step: int
    samples: Sequence[Mapping[str, Exhibit]] = ()
    figures: Mapping[str, Figure] = field(default_factory=dict)
    flows: Sequence[Flow] = ()
