"""Real distributions in temporary folders, double precision and a small run, for tests that ask for them."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent

import pytest
import torch

from rnnx.core import registry
from rnnx.core.config import UNNAMED
from rnnx.core.experiment import Experiment
from rnnx.core.running.result import Result
from tests.core.components import BASE, COMPONENTS, COMPUTED
from tests.core.small_runs import NMT
from tests.core.typed import GROUPS, ZOO

Install = Callable[..., Path]


@pytest.fixture
def doubles() -> Iterator[None]:
    """Numbers of 64 bits, from a seed."""
    torch.manual_seed(0)
    torch.set_default_dtype(torch.double)
    yield
    torch.set_default_dtype(torch.float)


@pytest.fixture(scope="session")
def done(tmp_path_factory: pytest.TempPathFactory) -> Result:
    """A small run; to be left as it is."""
    out = tmp_path_factory.mktemp("experiment") / "runs"
    return Experiment.from_words(*NMT, f"out={out}").run(command="rnnx run cell=gru")


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "text.txt"
    path.write_text("the cat sat on the mat and the dog sat on the cat\n" * 40)
    return path


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    words = {"uno": "one", "dos": "two", "tres": "three", "cuatro": "four", "cinco": "five"}
    pairs = [(f"{a} y {b}", f"{words[a]} and {words[b]}") for a in words for b in words]
    for side, language in enumerate(("es", "en")):
        (tmp_path / f"numbers.{language}").write_text("".join(pair[side] + "\n" for pair in pairs))
    return tmp_path / "numbers"


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Installs distributions whose plugins are the only ones there are.

    Their groups are written ``cells``, ``tasks``, ...; what the machine has installed is under other groups.
    """
    groups = {kind: group.replace("rnnx.", "rnnx.tests.") for kind, group in registry.GROUPS.items()}
    monkeypatch.setattr(registry, "GROUPS", groups)
    before = set(sys.modules)

    def _install(name: str, groups: dict[str, dict[str, str]], version: str = "1.0", **modules: str) -> Path:
        folder = tmp_path / f"site{len(list(tmp_path.iterdir()))}"
        metadata = folder / f"{name.replace('-', '_')}-{version}.dist-info"
        metadata.mkdir(parents=True)
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        entries = [
            f"[rnnx.tests.{group}]\n" + "".join(f"{key} = {target}\n" for key, target in names.items())
            for group, names in groups.items()
        ]
        (metadata / "entry_points.txt").write_text("\n".join(entries))
        for module, text in modules.items():
            path = folder / f"{module}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(dedent(text), encoding="utf-8")
        monkeypatch.syspath_prepend(folder)
        importlib.invalidate_caches()
        return folder

    yield _install
    for name in set(sys.modules) - before:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


@pytest.fixture
def components(install: Install) -> None:
    """The modules ``components``, ``base`` and ``computed``, to be read or imported."""
    install("a", {}, components=COMPONENTS, base=BASE, computed=COMPUTED)


@pytest.fixture
def stranger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str, str], None]:
    """Installs a component that somebody else wrote, ``module:Class``, beside those there are."""

    def install(group: str, target: str, source: str) -> None:
        site, module = tmp_path / "site", target.partition(":")[0]
        metadata = site / f"{module}-1.0.dist-info"
        metadata.mkdir(parents=True)
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
        (metadata / "entry_points.txt").write_text(f"[rnnx.{group}]\n{module} = {target}\n")
        (site / f"{module}.py").write_text(dedent(source))
        monkeypatch.syspath_prepend(site)

    return install


@pytest.fixture
def zoo(install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A small zoo of components in place of what is installed, and an empty folder to be in."""
    install("zoo", GROUPS, zoo=ZOO)
    for section in ("checkpoint", "stopping"):
        monkeypatch.delitem(UNNAMED, section)
    for section in ("net", "trainer"):
        monkeypatch.setitem(UNNAMED, section, f"zoo:{section.title()}")
    monkeypatch.chdir(tmp_path)
