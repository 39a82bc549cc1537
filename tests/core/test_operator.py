from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper

from rnnx.core.cell import Cell
from rnnx.core.engine import scan
from rnnx.core.net import Net
from rnnx.core.operator import in_order
from rnnx.core.spec import Spec

STANDARD: list[dict[str, Any]] = [
    {"name": "elman"},
    {"name": "elman", "activation": "relu"},
    {"name": "elman", "activation": "sigmoid"},
    {"name": "gru"},
    {"name": "gru", "reset": "before"},
    {"name": "lstm"},
    {"name": "lstm", "peepholes": True},
    {"name": "lstm", "coupled": True, "peepholes": True},
    {"name": "peephole-lstm"},
    {"name": "coupled-lstm"},
    {"name": "coupled-lstm", "peepholes": True},
]
OTHER: list[dict[str, Any]] = [
    {"name": "gru", "layer_norm": True},
    {"name": "lstm", "layer_norm": True},
    {"name": "lstm", "forget_gate": False},
    {"name": "lstm", "output_activation": False},
    {"name": "lstm", "gate_recurrence": True},
    {"name": "coupled-lstm", "layer_norm": True},
    {"name": "rhn"},
    {"name": "tree-lstm"},
]


def cell_of(plain: dict[str, Any]) -> Cell:
    cell: Cell = Spec.from_plain("cell", {**plain, "hidden_size": 4}).build(3)
    return cell.eval()


def by_onnxruntime(cell: Cell, x: torch.Tensor, lengths: torch.Tensor, reverse: bool) -> list[np.ndarray]:
    """``Y`` and the last states of a model that is the operator alone."""
    operator = cell.operator()
    assert operator is not None
    weight_ih, weight_hh, *biases = operator.weights
    values = {
        "X": x.transpose(0, 1),
        "W": weight_ih[None],
        "R": weight_hh[None],
        "B": torch.cat(biases)[None],
        "sequence_lens": lengths.int(),
        "P": None if operator.peepholes is None else operator.peepholes[None],
    }
    feeds = {name: value.detach().numpy() for name, value in values.items() if value is not None}
    names = ["X", "W", "R", "B", "sequence_lens", *(["", "", "P"] if "P" in feeds else [])]
    outputs = ["Y", *["Y_h", "Y_c"][: len(cell.state_sizes)]]
    node = helper.make_node(
        operator.name,
        names,
        outputs,
        hidden_size=4,
        direction="reverse" if reverse else "forward",
        **operator.attributes,
    )
    types = {"sequence_lens": TensorProto.INT32}
    inputs = [
        helper.make_tensor_value_info(name, types.get(name, TensorProto.FLOAT), value.shape)
        for name, value in feeds.items()
    ]
    made = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs]
    model = helper.make_model(
        helper.make_graph([node], "one", inputs, made), opset_imports=[helper.make_opsetid("", 20)]
    )
    model.ir_version = 10
    found: list[np.ndarray] = onnxruntime.InferenceSession(model.SerializeToString()).run(None, feeds)
    return found


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("plain", STANDARD, ids=str)
def test_an_operator_computes_what_its_cell_does(plain: dict[str, Any], reverse: bool) -> None:
    torch.manual_seed(0)
    cell = cell_of(plain)
    x, lengths = torch.randn(3, 5, 3), torch.tensor([2, 5, 1])
    y, state = scan(cell, x, lengths, reverse=reverse)
    Y, *last = by_onnxruntime(cell, x, lengths, reverse)
    np.testing.assert_allclose(Y[:, 0].swapaxes(0, 1), y.detach(), rtol=0, atol=1e-6)
    for found, expected in zip(last, state, strict=True):
        np.testing.assert_allclose(found[0], expected.detach(), rtol=0, atol=1e-6)


@pytest.mark.parametrize("plain", OTHER, ids=str)
def test_what_onnx_has_no_operator_for_has_none(plain: dict[str, Any]) -> None:
    assert cell_of(plain).operator() is None


def test_of_what_acts_in_training_alone_the_cell_is_asked() -> None:
    plain = {"cell": {"name": "gru", "hidden_size": 4}}
    (dropping,) = Net.from_plain({**plain, "recurrent_dropout": 0.5}).encoder(3).layers  # type: ignore[misc]
    assert dropping.cell.operator() is not None
    (zoned,) = Net.from_plain({**plain, "zoneout": 0.5}).encoder(3).layers  # type: ignore[misc]
    assert zoned.cell.operator() is None  # which in evaluation mixes the old state in


def test_gates_are_reordered_with_their_rows() -> None:
    rows = torch.arange(12).view(6, 2)
    assert in_order(rows, "abc", "cab").tolist() == [[8, 9], [10, 11], [0, 1], [2, 3], [4, 5], [6, 7]]
    with pytest.raises(ValueError, match="shorter"):
        in_order(rows, "abcd", "abcd")
