"""The machine's C compiler, where it has one."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import warnings
from ctypes import CDLL
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, final

import torch

from rnnx.core.errors import RnnxWarning

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
PATIENCE: Final = 120  # seconds that a compiler may take


@final
class CompilerError(Exception):
    """A function cannot be compiled, or not be loaded; the text says why."""


@final
class NoCompilerWarning(RnnxWarning):
    """Cells are read without functions in C, more slowly than they might be."""


@cache
def compiler() -> tuple[str, ...] | None:
    """The program that the variable ``CC`` names, or ``cc``, and its options there, as ``ccache gcc``.

    None where there is none, which a warning says if ``CC`` names one, or where ``CC`` is empty.
    """
    named = os.environ.get("CC", "cc")
    name, *options = shlex.split(named) or [""]
    program = shutil.which(name)
    if program is None and "CC" in os.environ and name:
        warnings.warn(
            f"CC={named} is no program, so cells run without functions in C, which is slower; "
            "set it to a C compiler, or to nothing",
            NoCompilerWarning,
            stacklevel=2,
        )
    return None if program is None else (program, *options)


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
                [*program, source, "-o", library, *options],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=PATIENCE,
            )
            if done.returncode:
                raise CompilerError(f"{program[0]} ends with {done.returncode}: {done.stderr.strip()[:200]}")
            function = CDLL(str(library)).kernel
    except subprocess.TimeoutExpired as error:
        raise CompilerError(f"{program[0]} does not end within {PATIENCE} seconds") from error
    except OSError as error:
        raise CompilerError(str(error)) from error
    function.restype = None
    return function
