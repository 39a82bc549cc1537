"""Recurrent cells: one cell, one file; and each by its class, as ``from rnnx.cells import GRU``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rnnx.cells.clockwork import Clockwork
    from rnnx.cells.coupled_lstm import CoupledLSTM
    from rnnx.cells.depth_gated_lstm import DepthGatedLSTM
    from rnnx.cells.elman import Elman
    from rnnx.cells.grid_lstm import GridLSTM
    from rnnx.cells.gru import GRU
    from rnnx.cells.jordan import Jordan
    from rnnx.cells.lstm import LSTM
    from rnnx.cells.mut1 import MUT1
    from rnnx.cells.mut2 import MUT2
    from rnnx.cells.mut3 import MUT3
    from rnnx.cells.peephole_lstm import PeepholeLSTM
    from rnnx.cells.qrnn import QRNN
    from rnnx.cells.residual_lstm import ResidualLSTM
    from rnnx.cells.rhn import RHN
    from rnnx.cells.rntn import RNTN
    from rnnx.cells.sru import SRU
    from rnnx.cells.tree_lstm import TreeLSTM
    from rnnx.cells.tree_rnn import TreeRNN

__all__ = [
    "GRU",
    "LSTM",
    "MUT1",
    "MUT2",
    "MUT3",
    "QRNN",
    "RHN",
    "RNTN",
    "SRU",
    "Clockwork",
    "CoupledLSTM",
    "DepthGatedLSTM",
    "Elman",
    "GridLSTM",
    "Jordan",
    "PeepholeLSTM",
    "ResidualLSTM",
    "TreeLSTM",
    "TreeRNN",
]


def __getattr__(name: str) -> Any:
    """A cell, imported when it is asked for: who looks for a file of this package need not wait for torch."""
    from rnnx.core.registry import plugins

    for plugin in plugins("cell"):
        if (
            name in __all__
            and plugin.target.startswith(f"{__name__}.")
            and plugin.target.endswith(f":{name}")
        ):
            return plugin.load()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
