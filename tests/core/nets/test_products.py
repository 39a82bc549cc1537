from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from rnnx.core.nets import products
from rnnx.core.nets.products import NAME, addmm, is_onednn_faster, mm

SIZES = (67, 131, 150)  # more than 2 ** 20 multiplications


@pytest.fixture
def library(processor: tuple[bool, bool]) -> bool:
    """Whether oneDNN multiplies, as on some processors, or torch as it will."""
    return processor[0]


@pytest.fixture
def factors() -> tuple[Tensor, Tensor]:
    rows, terms, columns = SIZES
    return torch.randn(rows, terms), torch.randn(terms, columns)


def strided(matrix: Tensor) -> Tensor:
    """The same numbers, in columns of a wider matrix."""
    wide = torch.full((len(matrix), 2 * matrix.shape[1]), torch.nan)
    wide[:, ::2] = matrix
    return wide[:, ::2]


def exact(found: Tensor, wanted: Tensor) -> None:
    """As near to sums of 64 bits as sums of some hundred products of 32 bits are."""
    torch.testing.assert_close(found.double(), wanted, rtol=1e-5, atol=1e-4)


def used(call: Callable[[], object]) -> bool:
    """Whether oneDNN multiplies."""
    with profile(activities=[ProfilerActivity.CPU]) as seen:
        call()
    return any(event.key == NAME for event in seen.key_averages())


LAYOUTS: list[Callable[[Tensor], Tensor]] = [
    Tensor.contiguous,
    lambda matrix: matrix.T.contiguous().T,
    strided,
    lambda matrix: torch.cat((matrix[:3], matrix))[3:],
]


@pytest.mark.parametrize("left", LAYOUTS)
@pytest.mark.parametrize("right", LAYOUTS)
def test_a_product_is_one_however_its_factors_lie(
    library: bool,
    factors: tuple[Tensor, Tensor],
    left: Callable[[Tensor], Tensor],
    right: Callable[[Tensor], Tensor],
) -> None:
    a, b = factors
    exact(mm(left(a), right(b)), a.double() @ b.double())


def test_a_product_is_written_where_it_is_to_be(library: bool, factors: tuple[Tensor, Tensor]) -> None:
    a, b = factors
    room = torch.full((SIZES[0], 200), torch.nan)
    made = mm(a, b, out=room[:, : SIZES[2]])
    assert made.data_ptr() == room.data_ptr()
    exact(room[:, : SIZES[2]], a.double() @ b.double())
    assert room[:, SIZES[2] :].isnan().all()


@pytest.mark.parametrize("shape", [SIZES[2:], (1, SIZES[2]), (SIZES[0], SIZES[2]), (SIZES[0], 1), (1,)])
@pytest.mark.parametrize("weights", [(1.0, 1.0), (1.0, -1.0), (0.5, 1.0), (-2.0, 3.0)])
def test_a_sum_has_its_term_repeated_and_both_weighed(
    library: bool, factors: tuple[Tensor, Tensor], shape: tuple[int, ...], weights: tuple[float, float]
) -> None:
    (a, b), term, (beta, alpha) = factors, torch.randn(shape), weights
    before, wanted = term.clone(), beta * term.double() + alpha * (a.double() @ b.double())
    exact(addmm(term, a, b, beta=beta, alpha=alpha), wanted)
    room = torch.empty(SIZES[0], SIZES[2])
    assert addmm(term, a, b, beta=beta, alpha=alpha, out=room) is room
    exact(room, wanted)
    assert torch.equal(term, before)


def test_onednn_multiplies_where_it_is_faster_and_there_alone(
    processor: tuple[bool, bool], factors: tuple[Tensor, Tensor]
) -> None:
    pays, turns = processor
    a, b = factors
    assert used(lambda: mm(a, b)) is pays
    assert used(lambda: addmm(torch.ones(SIZES[2]), a, b)) is pays
    assert used(lambda: mm(a, b.T.contiguous().T)) is pays
    assert used(lambda: mm(a.T.contiguous().T, b)) is turns


@pytest.mark.parametrize(
    ("a", "b", "faster"),
    [
        (torch.ones(64, 128), torch.ones(128, 128), True),
        (torch.ones(64, 128), torch.ones(128, 127), False),
        (torch.ones(1, 1024), torch.ones(1024, 1024), True),
        (torch.ones(1024, 1), torch.ones(1, 1024), False),
        (torch.ones(1024, 1024), torch.ones(1024, 1), False),
        (torch.ones(64, 128).double(), torch.ones(128, 128).double(), False),
        (torch.ones(64, 128).bfloat16(), torch.ones(128, 128).bfloat16(), False),
        (torch.ones(64, 128, device="meta"), torch.ones(128, 128, device="meta"), False),
    ],
)
def test_it_is_faster_at_large_products_of_32_bits(
    monkeypatch: pytest.MonkeyPatch, a: Tensor, b: Tensor, faster: bool
) -> None:
    monkeypatch.setattr(products, "PAYS", True)
    monkeypatch.setattr(products, "LARGE", 2**20)
    assert is_onednn_faster(a, b) is faster
    assert not is_onednn_faster(a, b, price=2)


def test_it_is_left_alone_where_torch_is_told_to_leave_it_alone(
    monkeypatch: pytest.MonkeyPatch, factors: tuple[Tensor, Tensor]
) -> None:
    monkeypatch.setattr(products, "PAYS", True)
    monkeypatch.setattr(products, "LARGE", 2**20)
    torch.backends.mkldnn.set_flags(_enabled=False, _fp32_precision=None)
    try:
        assert not used(lambda: mm(*factors))
    finally:
        torch.backends.mkldnn.set_flags(_enabled=True, _fp32_precision=None)
    assert used(lambda: mm(*factors))


def test_what_counts_operations_sees_a_product(library: bool, factors: tuple[Tensor, Tensor]) -> None:
    with FlopCounterMode(display=False) as counter:
        mm(*factors)
    rows, terms, columns = SIZES
    assert counter.get_total_flops() == 2 * rows * terms * columns


BY_PLAIN_LOOPS = """
import torch
from rnnx.core.nets import products
from tests.core.nets.test_products import LAYOUTS, SIZES
products.PAYS, products.LARGE, products.TURNS = True, 2**20, True
rows, terms, columns = SIZES
bias, a, b = torch.ones(columns), torch.ones(rows, terms), torch.ones(terms, columns)
apart = [*LAYOUTS, lambda matrix: torch.cat((matrix, matrix), 1)[:, : matrix.shape[1]]]
for left in apart:
    for right in apart:
        products.mm(left(a), right(b))
        products.addmm(bias, left(a), right(b))
"""


def test_no_product_is_made_by_onednns_plain_loops() -> None:
    """oneDNN itself tells what it multiplies by; its reference takes a thousand times the time."""
    done = subprocess.run(
        [sys.executable, "-c", BY_PLAIN_LOOPS],
        env=os.environ | {"ONEDNN_VERBOSE": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    told = [line.split(",") for line in done.stdout.splitlines() if ",exec,cpu,inner_product," in line]
    assert len(told) == 2 * 25
    assert not [words for words in told if any(word.startswith("ref") for word in words)]


OF_EVER_OTHER_SHAPES = """
from ctypes import CDLL, Structure, c_size_t
import torch
capabilities = torch.cpu.get_capabilities()
torch.cpu.get_capabilities = lambda: capabilities | {"cpu_name": "AMD", "avx512_f": True}
from rnnx.core.nets import products
products.LARGE = 2**20

class Memory(Structure):
    _fields_ = [(name, c_size_t) for name in "abcdefghij"]  # mallinfo(3): h is what is in use

allocator = CDLL(None)
allocator.mallinfo2.restype = Memory
factor, used = torch.ones(150, 131), []
for rows in range(67, 667):
    products.mm(torch.ones(rows, 150), factor)
    used.append(allocator.mallinfo2().h)
print(used[-1] - used[299])
"""


@pytest.mark.skipif(platform.libc_ver() < ("glibc", "2.33"), reason="asks glibc's allocator what is in use")
def test_products_of_ever_other_shapes_take_no_more_memory() -> None:
    """Each would keep half a megabyte."""
    done = subprocess.run(
        [sys.executable, "-c", OF_EVER_OTHER_SHAPES], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) < 2**23
