"""The machine's C compiler, where it has one."""

from __future__ import annotations

import os
import shutil
import subprocess
from ctypes import CDLL
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, final

import torch

OPTIONS: Final = (
    *("-O3", "-fopenmp-simd", "-fno-math-errno", "-fno-trapping-math", "-fno-builtin", "-w"),
    "-ffp-contract=off",  # so that a value is the same wherever it is made again
    *("-shared", "-fPIC", "-lm"),
)
# of the processor, as torch has found it, whose own kernels have the same
OF_PROCESSOR: Final = {
    "AVX2": ("-mavx2", "-mfma"),
    "AVX512": (
        *("-mavx2", "-mfma", "-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl"),
        "-mprefer-vector-width=512",
    ),
}


@final
class CompilerError(Exception):
    """A function cannot be compiled, or not be loaded; the text says why."""


@cache
def compiler() -> str | None:
    """The program that the variable ``CC`` names, or ``cc``; None where there is none, or ``CC`` is empty."""
    return shutil.which(os.environ.get("CC", "cc"))


@cache
def compiled(text: str, more: tuple[str, ...] = ()) -> Any:
    """The function ``kernel`` of a text in C, which is kept until the process ends.

    Args:
        text: It; nothing of what a file or a user says is in it but numbers.
        more: Options of its own.

    Raises:
        CompilerError: it cannot be had.
    """
    program = compiler()
    if program is None:
        raise CompilerError("there is no C compiler")
    options = (*OF_PROCESSOR.get(torch.backends.cpu.get_cpu_capability(), ()), *OPTIONS, *more)
    try:
        with TemporaryDirectory(prefix="rnnx-") as folder:
            source, library = Path(folder, "kernel.c"), Path(folder, "kernel.so")
            source.write_text(text, "utf-8")
            done = subprocess.run(
                [program, source, "-o", library, *options], capture_output=True, text=True, errors="replace"
            )
            if done.returncode:
                raise CompilerError(f"{program} ends with {done.returncode}: {done.stderr.strip()[:200]}")
            function = CDLL(str(library)).kernel
    except OSError as error:
        raise CompilerError(str(error)) from error
    function.restype = None
    return function
