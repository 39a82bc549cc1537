"""What rnnx finds where it is installed: versions, devices, plugins, tracking, the folder of runs."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path
from typing import Final, Literal, final

from packaging.requirements import Requirement

from rnnx.core.errors import RunError
from rnnx.core.paths import typed
from rnnx.core.registry import GROUPS, Plugin, plugins, trouble
from rnnx.core.runs import OUT

OURS: Final = ("rnnx", "rnnx-core", "rnnx-cells", "rnnx-tasks")
SPACE: Final = 2**30  # bytes that a run with its checkpoints may well take


@final
@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Args:
        area: ``software``, ``devices``, ``plugins``, ``tracking`` or ``runs``.
        what: What was looked at.
        value: What was found.
        state: ``suspicious`` is what may surprise, ``broken`` what will fail.
        advice: What to do about it; empty where all is well.
    """

    area: str
    what: str
    value: str
    state: Literal["well", "suspicious", "broken"] = "well"
    advice: str = ""


def examine(out: str | Path = OUT) -> Iterator[Finding]:
    """Looks at everything a run needs, one thing after the other.

    Args:
        out: The folder that holds runs.
    """
    yield from software()
    yield from devices()
    yield from installed()
    yield from tracking()
    yield from runs(out)


def software() -> Iterator[Finding]:
    """The versions, and whether they suit one another."""
    yield Finding("software", "python", platform.python_version())
    for name in ("torch", "lightning", "wandb"):
        yield Finding("software", name, version(name))
    for name in OURS:
        unmet = list(_unmet(name))
        yield Finding(
            "software",
            name,
            version(name),
            "broken" if unmet else "well",
            f"it needs {', '.join(unmet)}; install it again, or run pip check" if unmet else "",
        )


def devices() -> Iterator[Finding]:
    """What there is to compute with."""
    import torch

    from rnnx.core.nets import products
    from rnnx.core.unrolling.kernels.c.compiler import compiler

    processor = torch.cpu.get_capabilities()
    cores, threads, told = os.cpu_count() or 1, torch.get_num_threads(), os.environ.get("OMP_NUM_THREADS")
    few = told is not None and threads < cores
    yield Finding(
        "devices",
        "cpu",
        f"{processor.get('cpu_name') or platform.machine()}, {cores} cores, torch uses {threads}",
        "suspicious" if few else "well",
        f"OMP_NUM_THREADS={told} keeps torch from using all cores; unset it if no other run needs them"
        if few
        else "",
    )
    fast = any(has for name, has in processor.items() if "bf16" in name)
    yield Finding("devices", "bfloat16", "in hardware" if fast else "works, but is no faster on this cpu")
    yield Finding(
        "devices", "C compiler", " ".join(compiler() or ()) or "none, so cells' steps are slower on the cpu"
    )
    yield Finding("devices", "large products", "by oneDNN" if products.PAYS else "as torch makes them")
    yield from _cuda()
    yield Finding("devices", "mps", "there, but not used" if torch.backends.mps.is_available() else "none")


def installed() -> Iterator[Finding]:
    """The plugins, each imported; what cannot be used is told one by one."""
    for kind, group in GROUPS.items():
        there = plugins(kind)
        broken = {plugin: why for plugin in there if (why := _why_broken(plugin))}
        plural = group.removeprefix("rnnx.")
        origins = sorted({f"{plugin.distribution} {plugin.version}" for plugin in there})
        yield Finding("plugins", plural, f"{len(there) - len(broken)}, of {', '.join(origins) or 'nobody'}")
        for plugin, why in broken.items():
            advice = f"mend or uninstall distribution {plugin.distribution!r}"
            yield Finding("plugins", plugin.title, why, "broken", advice)


def tracking() -> Iterator[Finding]:
    """Where Weights & Biases would track a run."""
    from rnnx.core.tracking.wandb_runs import has_key

    key, told = has_key(), os.environ.get("WANDB_MODE")
    yield Finding("tracking", "key of Weights & Biases", "yes" if key else "none")
    mode = told or ("online" if key else "offline")
    lost = mode in ("online", "shared") and not key
    yield Finding(
        "tracking",
        "mode",
        f"{mode}, as WANDB_MODE says" if told else mode,
        "broken" if lost else "well",
        "there is no key: say wandb login, or WANDB_MODE=offline" if lost else "",
    )


def runs(out: str | Path = OUT) -> Iterator[Finding]:
    """The folder of runs, and the place that is left there.

    Args:
        out: The folder.

    Raises:
        UsageError: no folder can have such a name.
    """
    folder = typed(out).absolute()
    there = next(path for path in (folder, *folder.parents) if path.exists())
    writable = there.is_dir() and os.access(there, os.W_OK | os.X_OK)
    count = len(list(folder.glob("*/config.yaml"))) if there == folder else 0
    yield Finding(
        "runs",
        "folder",
        f"{folder}, {count} run{'' if count == 1 else 's'}",
        "well" if writable else "broken",
        "" if writable else f"nothing can be written in {there}; give another folder: out=FOLDER",
    )
    free = shutil.disk_usage(there).free
    yield Finding(
        "runs",
        "free",
        f"{free / 2**30:,.1f} GiB",
        "well" if free > SPACE else "suspicious",
        "" if free > SPACE else "a run with its checkpoints may not fit; remove some, or say out=FOLDER",
    )


def _unmet(name: str) -> Iterator[str]:
    """What a distribution needs and has not, extras left out."""
    for text in distribution(name).requires or ():
        needed = Requirement(text)
        if needed.marker is not None and not needed.marker.evaluate({"extra": ""}):
            continue
        try:
            found = version(needed.name)
        except PackageNotFoundError:
            yield f"{needed.name}, which is not installed"
        else:
            if not needed.specifier.contains(found, prereleases=True):
                yield f"{needed.name}{needed.specifier}, and there is {found}"


def _cuda() -> Iterator[Finding]:
    import torch

    for number in range(torch.cuda.device_count()):
        properties = torch.cuda.get_device_properties(number)
        yield Finding(
            "devices",
            f"cuda:{number}",
            f"{properties.name}, {properties.total_memory / 2**30:.0f} GiB, bfloat16: "
            f"{'yes' if torch.cuda.is_bf16_supported(False) else 'no'}",
        )
    if torch.cuda.is_available():
        return
    driver, built = shutil.which("nvidia-smi"), torch.version.cuda
    remedy = (
        f"see that the driver suits CUDA {built}" if built else "it is built for CPUs; install one for CUDA"
    )
    yield Finding(
        "devices",
        "cuda",
        "none",
        "suspicious" if driver else "well",
        f"{driver} is there, but torch {torch.__version__} sees no GPU: {remedy}" if driver else "",
    )


def _why_broken(plugin: Plugin) -> str | None:
    """Why a plugin cannot be used; None where it can."""
    known = trouble(plugin)
    if known is not None:
        return known
    try:
        plugin.load()
    except RunError as error:
        return f"{type(error.__cause__).__name__}: {error.__cause__}"
    return None
