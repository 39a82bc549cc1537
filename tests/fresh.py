"""An environment of its own on top of this one: what is installed there, nobody else sees."""

from __future__ import annotations

import os
import shlex
import site
import subprocess
import venv
from pathlib import Path
from typing import final

SCRIPT = '#!/bin/sh\nexec {python} -m {module} "$@"\n'
MODULES = {"pip": "pip", "pytest": "pytest", "rnnx": "rnnx.cli"}


@final
class Environment:
    """A virtual environment with ``pip``, ``pytest`` and ``rnnx``, which are those of this interpreter.

    Args:
        folder: Where it is made.
    """

    def __init__(self, folder: Path) -> None:
        venv.create(folder / "venv", symlinks=True)
        self.scripts = folder / "venv" / "bin"
        (packages,) = (folder / "venv").glob("lib/python*/site-packages")
        outer = [f"import site; site.addsitedir({folder!r})\n" for folder in site.getsitepackages()]
        (packages / "outer.pth").write_text("".join(outer))
        for name, module in MODULES.items():
            script = self.scripts / name
            script.write_text(SCRIPT.format(python=shlex.quote(str(self.scripts / "python")), module=module))
            script.chmod(0o755)

    def __call__(self, folder: Path, command: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Runs a line of a shell as it stands; pip asks no index and builds with what is here."""
        return subprocess.run(
            ["sh", "-c", command],
            cwd=folder,
            env={
                **os.environ,
                "PATH": f"{self.scripts}{os.pathsep}{os.environ['PATH']}",
                "PIP_DISABLE_PIP_VERSION_CHECK": "1",
                "PIP_NO_BUILD_ISOLATION": "0",  # which means: without
                "PIP_NO_INDEX": "1",
            },
            input=stdin,
            capture_output=True,
            text=True,
        )
