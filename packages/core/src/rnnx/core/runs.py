"""Where runs lie: their folders, by name."""

from __future__ import annotations

from pathlib import Path

from rnnx.core.errors import UsageError

CONFIG = "config.yaml"
RESULT = "result.json"
OUT = "runs"  # the folder that holds runs, if not said


def names(out: str | Path = OUT) -> list[str]:
    """The names of the runs in a folder, sorted; none where there is no such folder.

    Args:
        out: The folder that holds runs.

    Example:
        >>> names("/no/such/folder")
        []
    """
    return sorted(path.parent.name for path in Path(out).glob(f"*/{CONFIG}"))


def find_run(run: str | Path, out: str | Path = OUT) -> Path:
    """The folder of a run.

    Args:
        run: Such a folder, or its name in ``out``.
        out: The folder that holds runs.

    Raises:
        UsageError: there is none.
    """
    for folder in (Path(run), Path(out) / run):
        if (folder / CONFIG).is_file():
            return folder
    known = ", ".join(names(out)) or f"none yet in {out}"
    raise UsageError(f"no run {str(run)!r}: expected a run's folder or the name of one ({known})")
