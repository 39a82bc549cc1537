"""Rows that torch's threads share, in functions in C."""

from __future__ import annotations

from ctypes import CDLL, c_void_p, cast
from functools import cache
from typing import Final

import torch

BLOCK: Final = 64  # rows that go together, at most
SHARE: Final = 8  # and at least, where there are several threads

# what follows a function ``block(given, first, past)`` of some rows: that of all of them
TEXT: Final = """\
struct all {
    const long long *given;
    long long next;
};

static void some(void *given) {
    struct all *all = given;
    const long long size = all->given[2], rows = all->given[3];
    for (;;) {
        const long long first = __atomic_fetch_add(&all->next, size, __ATOMIC_RELAXED);
        if (first >= rows)
            return;
        block(all->given, first, first + size < rows ? first + size : rows);
    }
}

void kernel(const long long *given) {
    void (*parallel)(void (*)(void *), void *, unsigned, unsigned) = (void *) given[0];
    struct all all = {given, 0};
    if (given[1] > 1)
        parallel(some, &all, given[1], 0);
    else
        some(&all);
}
"""


@cache
def parallel() -> int:
    """The address of the function of GNU's OpenMP that calls another one in torch's threads; 0 without it."""
    try:
        return cast(CDLL(torch._C.__file__).GOMP_parallel, c_void_p).value or 0
    except (AttributeError, OSError):
        return 0


def shared(rows: int, alone: int = 0) -> tuple[int, int, int, int]:
    """The first numbers that a function of rows is given.

    They are the address of what calls a function in several threads; among how many threads the rows are
    shared, which are one or all; how many of them go together; and how many there are.

    Args:
        rows: How many.
        alone: As how many one thread takes alone, in any case.
    """
    address = parallel()
    threads = torch.get_num_threads() if address and rows > alone else 1
    size = min(BLOCK, max(SHARE, -(-rows // (2 * threads)))) if threads > 1 else BLOCK
    return address, (threads if size < rows else 1), size, rows
