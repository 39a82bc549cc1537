"""A model as an ONNX file, by torch's exporter, in which each recurrent layer is one of ONNX's operators."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, final

import torch
from torch import Tensor, nn

from rnnx.core.errors import RunError, UsageError
from rnnx.core.files import replacing
from rnnx.core.graph import Graph
from rnnx.core.layers import Layer, Noise, Recurrent
from rnnx.core.nets.variational_dropout import VariationalDropout
from rnnx.core.nets.weight_drop import WeightDrop
from rnnx.core.running.quiet import quiet
from rnnx.core.state import State
from rnnx.core.task import Task
from rnnx.core.trees import Trees

if TYPE_CHECKING:
    from rnnx.core.run import Run

TOLERANCE: Final = 1e-5  # by which the file's numbers may differ from the model's
TRACED: Final = (2, 5)  # rows and steps of the batch that is traced
COMPARED: Final = ((1, 1), (3, 7), (5, 4))  # those of the batches by which the two are compared


def write(run: Run, path: Path) -> float:
    """Writes what :meth:`rnnx.core.task.Task.graph` gives of a trained model, once it is seen to be equal.

    Args:
        run: The model. Its task, its net, and its vocabulary or classes are metadata of the file, as JSON.
        path: The file; none may be there.

    Returns:
        The largest difference between a number of the file's and the model's own.

    Raises:
        UsageError: ONNX has no operator for the model's cell, or the task no such part; the file exists; or a
            library is missing.
        RunError: torch cannot trace the model, or the file would not compute what it does.
    """
    if path.exists():
        raise UsageError(f"{path} exists already, and nothing in it is overwritten; give another file")
    try:
        import onnxruntime  # type: ignore[import-untyped]
        import onnxscript  # noqa: F401 - torch's exporter needs it
    except ImportError:
        raise UsageError("ONNX files need its libraries; pip install 'rnnx-core[onnx]'") from None
    graph, content = run.task.graph(), _content(run)
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    differences = [_difference(session, graph, *sizes) for sizes in COMPARED]
    difference = float(torch.tensor(differences).max())  # which is no number if one of them is none
    if not difference <= TOLERANCE:
        raise RunError(
            f"{path}: the ONNX file would give other numbers than the model, by {difference:.2g}; it was not "
            "written"
        )
    with replacing(path) as file:
        file.write(content)
    return difference


@final
class OperatorLayer(Recurrent):
    """A layer as ONNX's operator; it can be traced and does not compute.

    Args:
        layer: The layer.
        cell: What its cell is called.
    """

    def __init__(self, layer: Layer, cell: str) -> None:
        super().__init__()
        self.input_size, self.output_size = layer.input_size, layer.output_size
        self.state_sizes, self.reverse = layer.state_sizes, layer.reverse
        self.cell, self.operator = cell, layer.cell.operator()

    def forward(
        self,
        x: Tensor,
        lengths: Tensor | None = None,
        state: State | None = None,
        trees: Trees | None = None,
    ) -> tuple[Tensor, State]:
        operator = self.operator
        if operator is None:
            raise UsageError(
                f"ONNX has no operator for the cell {self.cell!r} with these options of cell and net; it has "
                "some for elman, gru, lstm, peephole-lstm and coupled-lstm; export a folder instead"
            )
        assert lengths is not None
        assert state is None
        assert trees is None
        rows, steps, size = x.shape[0], x.shape[1], self.output_size
        weight_ih, weight_hh, *biases = operator.weights
        weights = (weight_ih, weight_hh, torch.cat(biases))
        inputs: list[Tensor | None] = [x.transpose(0, 1), *(weight.unsqueeze(0) for weight in weights)]
        inputs.append(lengths.to(torch.int32))
        if operator.peepholes is not None:
            inputs += [None, None, operator.peepholes.unsqueeze(0)]
        count = len(self.state_sizes)
        y, *last = torch.onnx.ops.symbolic_multi_out(
            operator.name,
            inputs,
            {
                "hidden_size": size,
                "direction": "reverse" if self.reverse else "forward",
                **operator.attributes,
            },
            dtypes=[x.dtype] * (1 + count),
            shapes=[(steps, 1, rows, size), *[(1, rows, size)] * count],
        )
        return y.squeeze(1).transpose(0, 1), tuple(tensor.squeeze(0) for tensor in last)

    def step(self, x: Tensor, state: State, noise: Noise | None = None) -> tuple[Tensor, State]:
        raise TypeError("ONNX's operators read whole sequences")

    def initial_state(self, batch: int, like: Tensor) -> State:
        raise TypeError("ONNX's operators begin with zeros")


@final
class _Traced(nn.Module):
    """A graph as the module that torch's exporter takes."""

    def __init__(self, task: Task) -> None:
        super().__init__()
        self.task, self.graph = task, task.graph()

    def forward(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        return self.graph.compute(inputs, lengths)


@torch.no_grad()
def _content(run: Run) -> bytes:
    """The file."""
    task = deepcopy(run.task)
    _put_operators(task, task.net.cell.name)
    traced = _Traced(task).eval()
    graph = traced.graph
    example = graph.example(*TRACED), torch.tensor([TRACED[1], TRACED[1] - 1])
    traced(*example)  # so that what cannot be is said by itself
    axes = [dict(enumerate(graph.axes)), {0: graph.axes[0]}]
    try:
        with quiet():
            program = torch.onnx.export(
                traced,
                example,
                input_names=["inputs", "lengths"],
                output_names=[graph.output],
                dynamic_shapes=axes,
                dynamo=True,
                verbose=False,
            )
    except torch.onnx.OnnxExporterError as error:
        reason = str(error.__cause__ or error).strip().partition("\n")[0]
        raise RunError(f"torch could not trace the model for ONNX: {reason}") from error
    assert program is not None
    notes = {"task": run.config.task.name, **{name: task.hparams[name] for name in ("net", "meta")}}
    for name, note in notes.items():
        program.model.metadata_props[name] = json.dumps(note, ensure_ascii=False)
    content: bytes = program.model_proto.SerializeToString()
    return content


def _put_operators(module: nn.Module, cell: str) -> None:
    """Puts operators in place of the layers of a cell; what is round them and acts in training alone goes."""
    for name, child in module.named_children():
        while isinstance(child, VariationalDropout | WeightDrop):
            child = child.layer
        if isinstance(child, Layer):
            setattr(module, name, OperatorLayer(child, cell))
        else:
            setattr(module, name, child)
            _put_operators(child, cell)


@torch.no_grad()
def _difference(session: Any, graph: Graph, rows: int, steps: int) -> float:
    """By how much the file's numbers differ from the model's, for random inputs of many lengths."""
    inputs = graph.example(rows, steps)
    lengths = torch.randint(1, steps + 1, (rows,))
    lengths[-1] = steps
    (found,) = session.run(None, {"inputs": inputs.numpy(), "lengths": lengths.numpy()})
    return float((torch.from_numpy(found) - graph.compute(inputs, lengths)).abs().max())
