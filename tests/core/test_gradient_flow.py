"""Gradient flow, on cells whose Jacobians are known, and on real ones against their Jacobians."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.functional import jacobian
from torchmetrics import Metric

from rnnx.cells.elman import Elman
from rnnx.cells.gru import GRU
from rnnx.cells.lstm import LSTM
from rnnx.core import engine
from rnnx.core.batch import Batch
from rnnx.core.cell import Cell
from rnnx.core.data import Split
from rnnx.core.exhibits.exhibit import Exhibit
from rnnx.core.gradient_flow import Flow, gradient_flow, longest
from rnnx.core.layers import Bidirectional, Layer, Recurrent, Stack
from rnnx.core.nets.skips import Plain
from rnnx.core.nets.weight_drop import WeightDrop
from rnnx.core.nets.zoneout import Zoneout
from rnnx.core.state import State
from rnnx.core.task import Loss, Task

NET = {"cell": {"name": "elman"}}
LENGTHS = torch.tensor([7, 4, 1])


@pytest.fixture(autouse=True)
def doubles() -> Iterator[None]:
    torch.manual_seed(0)
    torch.set_default_dtype(torch.double)
    yield
    torch.set_default_dtype(torch.float)


class Reading(Task):
    """Reads sequences; the loss is what ``weigh`` makes of the outputs ``(N, T, O)`` and the batch."""

    recurrent: Recurrent
    weigh: Callable[[Tensor, Batch], Tensor]

    def forward(self, batch: Batch) -> Tensor:
        return self.recurrent(batch.inputs, batch.lengths)[0]

    def loss(self, output: Tensor, batch: Batch) -> Loss:
        return Loss(self.weigh(output, batch), batch.lengths.sum())

    def metrics(self, split: Split) -> Mapping[str, Metric]:
        return {}

    def observe(self, metrics: Any, batch: Batch, output: Any, loss: Loss, split: Split) -> None:
        pass

    def samples(self, batch: Batch) -> list[dict[str, Exhibit]]:
        return []

    def figures(self, batch: Batch) -> dict[str, Any]:
        return {}

    def predict(self, lines: Iterable[str]) -> Iterator[str]:
        return iter(lines)


class Stepping(Reading):
    """The same, step by step, on through the padding."""

    def forward(self, batch: Batch) -> Tensor:
        state, ys = self.recurrent.initial_state(len(batch), batch.inputs), []
        for x in batch.inputs.unbind(1):
            y, state = self.recurrent.step(x, state)
            ys.append(y)
        return torch.stack(ys, 1)


def at_the_end(output: Tensor, batch: Batch) -> Tensor:
    """The sum of each row's last output."""
    return output[torch.arange(len(output)), batch.lengths - 1].sum()


def everywhere(output: Tensor, batch: Batch) -> Tensor:
    """The squares of all real outputs."""
    real = torch.arange(output.shape[1]) < batch.lengths.unsqueeze(1)
    return output[real].square().sum()


def reading(
    recurrent: Recurrent,
    weigh: Callable[[Tensor, Batch], Tensor] = at_the_end,
    how: type[Reading] = Reading,
) -> Reading:
    task = how(NET, {})
    task.recurrent, task.weigh = recurrent, weigh
    return task


def batch_of(x: Tensor, lengths: Tensor | None = None) -> Batch:
    lengths = torch.full((len(x),), x.shape[1]) if lengths is None else lengths
    return Batch(x, lengths, torch.zeros(len(x)), torch.arange(len(x)))


def flow_of(cell: Cell, x: Tensor, lengths: Tensor | None = None, **options: Any) -> Flow:
    (flow,) = gradient_flow(reading(Layer(cell)), batch_of(x, lengths), **options)
    return flow


class Linear(Cell):
    """``h_t = A h_{t-1} + x_t``, without a parameter."""

    def __init__(self, matrix: Tensor) -> None:
        super().__init__()
        size = len(matrix)
        self.input_size, self.output_size, self.state_sizes = size, size, (size,)
        self.register_buffer("matrix", matrix)

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        h = state[0] @ self.matrix.T + z
        return h, (h,)


class Product(Cell):
    """``h_t = x_t h_{t-1}`` from 1, so that every step's Jacobian is what it reads."""

    input_size, output_size, state_sizes = 1, 1, (1,)

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        h = state[0] * z
        return h, (h,)

    def initial_state(self, batch: int, like: Tensor) -> State:
        return (like.new_ones(batch, 1),)


class Gated(Cell):
    """What it reads through a sigmoid, however that is written."""

    input_size, output_size, state_sizes = 3, 3, (3,)

    def __init__(self, sigmoid: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.sigmoid = sigmoid

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        h = self.sigmoid(z) * 3 + state[0] / 2
        return h, (h,)


def close(actual: object, expected: object, tolerance: float = 1e-9) -> None:
    assert actual == pytest.approx(expected, rel=tolerance, abs=1e-300)


@pytest.mark.parametrize(
    ("a", "memory"), [(0.9, 10), (0.5, 2), (0.3, 1), (0.99, 100), (0.995, None), (1.02, None)]
)
def test_a_linear_cell_forgets_by_its_factor(a: float, memory: int | None) -> None:
    """The first lag with a^lag < 1/e is the one above 1 / ln(1/a): 9.5 of 0.9, 1.4, 0.8, 99.5 and 199.5."""
    flow = flow_of(Linear(a * torch.eye(3)), torch.randn(2, 151, 3))
    close(flow.state, [a**lag for lag in range(151)])
    close(flow.loss, [a**lag * math.sqrt(3) for lag in range(151)])
    assert flow.memory == memory
    close((flow.decay, flow.contraction), (a, a))
    assert (flow.low, flow.high) == (None, None)


def test_a_factor_out_of_the_range_of_numbers_is_measured_all_the_same() -> None:
    torch.set_default_dtype(torch.float)
    for a in (1e-3, 1e3):
        flow = flow_of(Linear(a * torch.eye(2)), torch.zeros(1, 200, 2))
        close(flow.decay, a, 1e-5)
        close(flow.state[:100], [a**lag for lag in range(100)], 1e-4)
        assert (flow.memory, flow.state[-1]) == ((1, 0) if a < 1 else (None, math.inf))


def test_a_cell_without_a_past_forgets_at_once() -> None:
    torch.set_default_dtype(torch.float)
    flow = flow_of(Linear(torch.zeros(4, 4)), torch.randn(3, 4, 4))
    close(flow.loss, [2.0, 0.0, 0.0, 0.0])
    assert (flow.state, flow.memory) == ([1.0, 0.0, 0.0, 0.0], 1)
    assert (flow.decay, flow.contraction) == (0, 0)


def test_a_diagonal_cell_ends_up_with_its_slowest_number() -> None:
    d = torch.tensor([0.9, 0.5, 0.1])
    flow = flow_of(Linear(d.diag()), torch.randn(1, 60, 3))
    expected = [math.sqrt(sum(float(a) ** (2 * lag) for a in d) / 3) for lag in range(60)]
    close(flow.state, expected)
    close(flow.decay, expected[-1] ** (1 / 59))
    close(flow.contraction, 0.9)


def test_a_map_that_stretches_before_it_forgets() -> None:
    """The powers of (1/2 1; 0 1/2) are (2^-k k 2^(1-k); 0 2^-k), its norm is (1 + sqrt 2) / 2."""
    flow = flow_of(Linear(torch.tensor([[0.5, 1.0], [0.0, 0.5]])), torch.randn(1, 30, 2))
    close(flow.contraction, (1 + math.sqrt(2)) / 2)
    close(flow.state, [math.sqrt(2 * 0.25**k + (k * 0.5 ** (k - 1)) ** 2) / math.sqrt(2) for k in range(30)])
    close(flow.loss, [math.hypot(0.5**k, k * 0.5 ** (k - 1) + 0.5**k) for k in range(30)])
    assert flow.memory == 4  # 0.545 at lag 3, 0.359 at lag 4


def test_a_rotation_forgets_nothing_however_wide() -> None:
    rotation, _ = torch.linalg.qr(torch.randn(20, 20))
    flow = flow_of(Linear(rotation), torch.randn(3, 50, 20), probes=2)
    close(flow.state, [1.0] * 50)
    close(flow.loss, [math.sqrt(20)] * 50)
    close((flow.decay, flow.contraction), (1, 1))
    assert flow.memory is None


def test_the_estimate_is_near_the_norm_and_the_same_each_time() -> None:
    matrix = torch.randn(40, 40) / 8
    x, before = torch.randn(4, 10, 40), torch.get_rng_state()
    exact = [float(torch.linalg.matrix_power(matrix, lag).norm()) / math.sqrt(40) for lag in range(10)]
    estimated = flow_of(Linear(matrix), x, probes=16).state
    with torch.no_grad():
        assert estimated == flow_of(Linear(matrix), x, probes=16).state
    close(estimated, exact, 0.15)
    assert estimated[1:] != pytest.approx(exact[1:], rel=1e-6)
    close(flow_of(Linear(matrix), x, probes=40).state, exact)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("reverse", [False, True], ids=["forth", "back"])
def test_a_row_counts_from_its_own_end(reverse: bool) -> None:
    """A row's curve is the product of what it read last; at each lag the rows are averaged that have it."""
    x = torch.rand(3, 7, 1) + 0.2
    (flow,) = gradient_flow(
        reading(Layer(Product(), reverse), everywhere_last(reverse)), batch_of(x, LENGTHS)
    )
    rows = [x[n, :length, 0].tolist()[:: -1 if reverse else 1] for n, length in enumerate(LENGTHS)]
    products = [[math.prod(row[len(row) - lag :]) for lag in range(len(row))] for row in rows]
    for curve in (flow.state, flow.loss):
        assert len(curve) == 7
        for lag, value in enumerate(curve):
            there = [product[lag] for product in products if lag < len(product)]
            close(value, math.sqrt(sum(p * p for p in there) / len(there)))
    steps = [value for row in rows for value in row[1:]]
    close(flow.decay, math.exp(sum(map(math.log, steps)) / len(steps)))
    close(flow.contraction, sum(map(sum, rows)) / LENGTHS.sum().item())


def everywhere_last(reverse: bool) -> Callable[[Tensor, Batch], Tensor]:
    """The loss of what was read last."""
    return (lambda output, batch: output[:, 0].sum()) if reverse else at_the_end


def test_the_end_is_the_last_step_that_the_loss_depends_on() -> None:
    x = torch.rand(1, 9, 1) + 0.2
    (flow,) = gradient_flow(reading(Layer(Product()), lambda output, batch: output[:, 5].sum()), batch_of(x))
    close(flow.state, [math.prod(x[0, 6 - lag : 6, 0].tolist()) for lag in range(6)])


def test_it_measures_as_many_lags_and_the_longest_rows_as_it_is_told() -> None:
    flow = flow_of(Linear(0.9 * torch.eye(2)), torch.randn(2, 30, 2), lags=5)
    close(flow.state, [0.9**lag for lag in range(6)])
    close(flow.decay, 0.9)
    assert flow.memory is None
    x = torch.rand(3, 7, 1) + 0.2
    longest_two = flow_of(Product(), x[[1, 2]], LENGTHS[[0, 1]])
    assert flow_of(Product(), x, torch.tensor([1, 7, 4]), rows=2) == longest_two


def test_one_step_has_no_lags() -> None:
    flow = flow_of(Linear(torch.eye(2) / 2), torch.randn(2, 1, 2))
    assert (flow.state, flow.memory, flow.contraction) == ([1.0], None, 0.5)
    assert math.isnan(flow.decay)


def perturbed(cell: Cell, nudges: Tensor) -> Cell:
    """A cell to whose state after each step ``t`` is added ``nudges[t]``, ``(T, N, H)``."""
    pending = iter(nudges)

    class Perturbed(Cell):
        input_size, output_size, state_sizes = cell.input_size, cell.output_size, cell.state_sizes

        def project(self, x: Tensor) -> Tensor:
            return cell.project(x)

        def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
            h = cell.step(z, state)[0] + next(pending)[: len(z)]
            return h, (h,)

    made = Perturbed()
    made.step = made.step  # type: ignore[method-assign]  # an own one: the engine takes the steps one by one
    return made


def test_two_layers_in_two_directions_against_their_jacobians() -> None:
    """Rows fall in length, so that the engine takes them as they are."""
    H = 3
    layers = [
        Bidirectional(Layer(GRU(size, hidden_size=H)), Layer(GRU(size, hidden_size=H), reverse=True))
        for size in (2, 2 * H)
    ]
    stack, x = Stack(layers, [Plain(2, 2 * H), Plain(2 * H, 2 * H)]), torch.randn(3, 7, 2)
    flows = gradient_flow(reading(stack, everywhere), batch_of(x, LENGTHS))
    places = [f"recurrent.layers.{number}.{way}" for number in (0, 1) for way in ("forth", "back")]
    assert [flow.layer for flow in flows] == places

    inputs = {0: x, 1: layers[0](x, LENGTHS)[0].detach()}
    for place, flow in zip(places, flows, strict=True):
        layer = stack.get_submodule(place.removeprefix("recurrent."))
        cell, number = layer.cell, int(place.split(".")[2])
        read = engine.flip(inputs[number], LENGTHS) if layer.reverse else inputs[number]
        curves, norms = [], []
        for n, length in enumerate(LENGTHS.tolist()):
            zs, hs = cell.project(read[n : n + 1, :length]).unbind(1), [torch.zeros(1, H)]
            for z in zs:
                hs.append(cell.step(z, (hs[-1],))[0])

            def rest(h: Tensor, first: int, zs: tuple[Tensor, ...] = zs, cell: Cell = cell) -> Tensor:
                for z in zs[first:]:
                    h, _ = cell.step(z, (h,))
                return h

            matrices = [jacobian(lambda h: rest(h, t), hs[t])[0, :, 0] for t in range(length, 0, -1)]  # noqa: B023
            curves.append([float(matrix.norm()) / math.sqrt(H) for matrix in matrices])
            single = [
                jacobian(lambda h: cell.step(z, (h,))[0], h)[0, :, 0]  # noqa: B023
                for z, h in zip(zs, hs, strict=False)
            ]
            norms += [float(torch.linalg.svdvals(matrix)[0]) for matrix in single]
        close(flow.state, together(curves))
        close(flow.contraction, sum(norms) / len(norms))

        nudges = torch.zeros(7, 3, H, requires_grad=True)
        layer.cell = perturbed(cell, nudges)
        everywhere(stack(x, LENGTHS)[0], batch_of(x, LENGTHS)).backward()
        layer.cell = cell
        slopes = [nudges.grad[:length, n].norm(dim=-1).flip(0).tolist() for n, length in enumerate(LENGTHS)]
        close(flow.loss, together(slopes))


def together(curves: list[list[float]]) -> list[float]:
    """The root of the mean square at each lag over the rows that have it."""
    longest_ = max(map(len, curves))
    there = [[curve[lag] for curve in curves if lag < len(curve)] for lag in range(longest_)]
    return [math.sqrt(sum(value**2 for value in values) / len(values)) for values in there]


def test_steps_one_by_one_are_a_sequence_whose_padding_does_not_count() -> None:
    def stack() -> Stack:
        torch.manual_seed(1)
        return Stack(
            [Layer(LSTM(2, hidden_size=3)), Layer(LSTM(3, hidden_size=3))], [Plain(2, 3), Plain(3, 3)]
        )

    batch = batch_of(torch.randn(3, 7, 2), LENGTHS)
    at_once = gradient_flow(reading(stack(), everywhere), batch)
    batch.inputs[torch.arange(7) >= LENGTHS.unsqueeze(1)] = 50.0  # would saturate every gate
    one_by_one = gradient_flow(reading(stack(), everywhere, Stepping), batch)
    assert len(at_once) == 2
    for flow, expected in zip(one_by_one, at_once, strict=True):
        for name, value in vars(expected).items():
            assert getattr(flow, name) == (value if isinstance(value, str) else pytest.approx(value)), name


def test_scans_and_steps_between_them_are_sequences_of_their_own() -> None:
    class Thrice(Reading):
        def forward(self, batch: Batch) -> Tensor:
            parts = [batch_of(batch.inputs[:, :steps]) for steps in (3, 5, 7)]
            ways: list[Any] = [Reading.forward, Stepping.forward, Reading.forward]
            return torch.cat([way(self, part)[:, -1] for way, part in zip(ways, parts, strict=True)], -1)

    x = torch.rand(1, 7, 1) + 0.2
    (flow,) = gradient_flow(
        reading(Layer(Product()), lambda output, batch: output.sum(), Thrice), batch_of(x)
    )
    rows = [[math.prod(x[0, end - lag : end, 0].tolist()) for lag in range(end)] for end in (3, 5, 7)]
    close(flow.state, together(rows))
    close(flow.loss, together(rows))


def test_a_cell_that_layers_share_is_measured_once() -> None:
    cell = Product()
    stack = Stack([Layer(cell), Layer(cell)], [Plain(1, 1), Plain(1, 1)])
    (flow,) = gradient_flow(reading(stack), batch_of(torch.full((1, 4, 1), 0.5)))
    assert flow.layer == "recurrent.layers.0"
    below = [0.5**lag for lag in range(4)]
    above = [math.prod(0.5**step for step in range(5 - lag, 5)) for lag in range(4)]  # it reads 1/2, 1/4 ...
    close(flow.state, together([below, above]))


SIGMOIDS: dict[str, Callable[[Tensor], Tensor]] = {
    "torch": torch.sigmoid,
    "method": lambda x: x.sigmoid(),
    "in place": lambda x: x.clone().sigmoid_().mul_(1.0),
    "functional": F.sigmoid,
    "module": nn.Sigmoid(),
    "special": torch.special.expit,
}


@pytest.mark.parametrize("sigmoid", SIGMOIDS.values(), ids=SIGMOIDS)
def test_gates_are_what_a_sigmoid_gives(sigmoid: Callable[[Tensor], Tensor]) -> None:
    """sigmoid(2.2) = 0.9002 and sigmoid(2.19) = 0.8993, and their complements."""
    x = torch.tensor([[[-9.0, -2.2, 0.0], [-2.19, 2.19, 2.2], [9.0, 9.0, 0.5], [-9.0, -9.0, -9.0]]])
    flow = flow_of(Gated(sigmoid), x.expand(2, 4, 3), torch.tensor([4, 3]))
    assert (flow.low, flow.high) == (pytest.approx((5 + 2) / 21), pytest.approx((3 + 3) / 21))


def test_what_is_done_to_a_gate_in_place_does_not_change_what_it_was() -> None:
    flow = flow_of(Gated(lambda x: torch.sigmoid(x).mul_(0.0)), torch.full((1, 2, 3), 9.0))
    assert (flow.low, flow.high) == (0, 1)


def test_an_lstm_whose_gates_are_known() -> None:
    """Without weights f = sigmoid(3), i = o = 1/2 and c = 0: dc_T/dc_t = f^k, dh_T/dc_t = f^k / 2."""
    cell = LSTM(2, hidden_size=4, forget_bias=3.0)
    for name, parameter in cell.named_parameters():
        nn.init.zeros_(parameter if name != "bias_ih" else parameter[[*range(4), *range(8, 16)]])
    cell.bias_ih.data[:] = torch.tensor([0.0, 3.0, 0.0, 0.0]).repeat_interleave(4)
    flow = flow_of(cell, torch.randn(2, 40, 2))
    f = 1 / (1 + math.exp(-3))
    close(flow.state, [1.0, *(math.sqrt((f ** (2 * k) + f ** (2 * k) / 4) / 2) for k in range(1, 40))])
    assert flow.memory == 16  # where 0.7906 0.9526^k first is below 0.3679: k > 15.7
    close(flow.contraction, f * math.sqrt(1.25))
    assert (flow.low, flow.high) == (0, pytest.approx(1 / 3))


def test_elman_forgets_exponentially_and_lstm_does_not() -> None:
    """At small weights Elman's map is its matrix, whose powers fall as its spectral radius."""
    elman, lstm = Elman(2, hidden_size=16), LSTM(2, hidden_size=16, forget_bias=3.0)
    for cell in (elman, lstm):
        for name, parameter in cell.named_parameters():
            if "weight" in name:
                nn.init.normal_(parameter, std=0.1)
    x = torch.randn(4, 100, 2) / 10
    falls, stays = flow_of(elman, x, probes=16), flow_of(lstm, x)

    lags = torch.arange(100.0)
    slopes = []
    for flow in (falls, stays):
        curve = torch.tensor(flow.state).log()
        slopes.append(float(torch.corrcoef(torch.stack([lags, curve]))[0, 1] * curve.std() / lags.std()))
    assert torch.corrcoef(torch.stack([lags, torch.tensor(falls.state).log()]))[0, 1] ** 2 > 0.99
    radius = float(torch.linalg.eigvals(elman.weight_hh.detach()).abs().max())
    assert slopes[0] == pytest.approx(math.log(radius), rel=0.1)
    assert slopes[0] < 10 * slopes[1] < 0
    assert falls.memory is not None
    assert stays.memory is not None
    assert falls.memory * 5 < stays.memory
    assert falls.loss[-1] / falls.loss[0] < 1e-20
    assert stays.loss[-1] / stays.loss[0] > 1e-4


def test_wrapped_cells_and_layers_are_measured_as_they_are_in_evaluation() -> None:
    x = torch.randn(2, 20, 3)
    flow = flow_of(Zoneout(Linear(torch.eye(3) / 2), [0.25]), x)
    close(flow.state, [(0.25 + 0.75 / 2) ** lag for lag in range(20)])
    gru = GRU(3, hidden_size=4)
    (plain,) = gradient_flow(reading(Layer(gru)), batch_of(x))
    (dropped,) = gradient_flow(reading(WeightDrop(Layer(gru), 0.5, 0.0)).train(), batch_of(x))
    assert replace(dropped, layer="recurrent") == plain
    (stepped,) = gradient_flow(reading(WeightDrop(Layer(gru), 0.5, 0.0), how=Stepping), batch_of(x))
    close(stepped.state, plain.state)


def test_what_is_recomputed_in_training_is_measured_like_what_is_not() -> None:
    """Twenty steps: chunks of four, which are read by the cell's plan."""
    gru, batch = GRU(2, hidden_size=3), batch_of(torch.randn(2, 20, 2), torch.tensor([20, 15]))
    plain, again = Layer(gru), Layer(gru, recompute=True)
    assert gradient_flow(reading(again), batch) == gradient_flow(reading(plain), batch)
    assert again.recompute
    assert not plain.recompute


def test_a_state_that_no_gradient_reaches_is_part_of_it() -> None:
    class Counting(Cell):
        input_size, output_size, state_sizes = 2, 2, (2, 1)

        def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
            h = state[0] / 2 + z
            return h, (h, (state[1] + 1).round())

    flow = flow_of(Counting(), torch.randn(1, 10, 2))
    close(flow.state, [1.0, *(math.sqrt(2 / 3) * 0.5**lag for lag in range(1, 10))])


def test_the_task_is_left_as_it_was() -> None:
    cell = GRU(2, hidden_size=3)
    layer, seen = Layer(cell), []
    own = cell.step
    cell.step = own  # type: ignore[method-assign]  # as one that was compiled
    task = reading(
        Stack([layer, Layer(GRU(3, hidden_size=3))], [Plain(2, 3), Plain(3, 3)], dropout=0.5)
    ).train()
    batch = replace(batch_of(torch.randn(2, 5, 2)), continues=True, references=(("a",), ("b",)))

    def spy(output: Tensor, batch: Batch) -> Tensor:
        seen.append((task.training, batch.continues, len(batch), batch.references))
        return at_the_end(output, batch)

    task.weigh = spy
    flows = gradient_flow(task, batch, rows=1)
    assert seen == [(False, False, 1, (("a",),))]
    assert gradient_flow(task, batch, rows=1) == flows
    task.weigh = lambda output, batch: (_ for _ in ()).throw(RuntimeError("no loss"))
    with pytest.raises(RuntimeError, match="no loss"):
        gradient_flow(task, batch)
    assert task.training
    assert all(module.training for module in task.modules())
    assert vars(cell)["step"] is own
    for name in ("step", "unroll"):
        assert name not in vars(task.recurrent.layers[1].cell)
    assert not layer._forward_hooks
    assert not layer._forward_pre_hooks
    assert all(parameter.grad is None for parameter in task.parameters())


def test_what_the_loss_does_not_depend_on_is_left_out() -> None:
    both = Bidirectional(Layer(Product()), Layer(Product(), reverse=True))
    half = reading(both, lambda output, batch: output[..., 1].sum())
    batch = batch_of(torch.rand(2, 5, 1))
    assert [flow.layer for flow in gradient_flow(half, batch)] == ["recurrent.back"]
    one = reading(Layer(Product()), lambda output, batch: torch.zeros(()) * output[0, 0, 0])
    assert gradient_flow(one, batch) == []
    del one.recurrent
    one.forward = lambda batch: batch.inputs  # type: ignore[method-assign]
    assert gradient_flow(one, batch) == []
    trees = replace(batch, parents=torch.tensor([[1, 2, 3, 4, -1]] * 2))
    assert gradient_flow(reading(Layer(Product())), trees) == []


def test_numbers_that_are_none_are_told() -> None:
    flow = flow_of(Linear(torch.full((2, 2), math.nan)), torch.zeros(1, 3, 2))
    assert flow.memory is None
    assert math.isnan(flow.contraction)
    plain = json.loads(json.dumps(flow.to_plain(), allow_nan=False))
    assert plain["state"] == [1.0, None, None]
    assert (plain["layer"], plain["contraction"], plain["low"]) == ("recurrent", None, None)
    assert list(plain) == ["layer", "loss", "state", "memory", "decay", "contraction", "low", "high"]


def test_the_longest_batch_is_taken_or_the_first_that_is_long_enough() -> None:
    batches = [batch_of(torch.randn(2, steps, 1)) for steps in (3, 6, 5, 6, 9)]
    assert longest(batches, steps=100) is batches[4]
    assert longest(batches, steps=6) is batches[1]
    assert longest(batches, steps=4) is batches[1]
    assert longest(iter(batches[:4]), steps=100) is batches[1]


def test_chunks_of_a_text_are_joined_until_they_are_long_enough() -> None:
    text = torch.arange(16).view(2, 8)
    chunks = [
        Batch(part, torch.tensor([part.shape[1]] * 2), part + 1, torch.arange(2), continues=first > 0)
        for first, part in enumerate(text.split(3, 1))
    ]
    whole = longest(chunks)
    assert torch.equal(whole.inputs, text)
    assert torch.equal(whole.targets, text + 1)
    assert whole.lengths.tolist() == [8, 8]
    assert not whole.continues
    assert longest(chunks, steps=4).inputs.shape == (2, 6)
    other = replace(chunks[0], inputs=chunks[0].inputs + 100)
    assert torch.equal(longest([*chunks[:2], other, *chunks[1:]]).inputs[:, :3], text[:, :3] + 100)
