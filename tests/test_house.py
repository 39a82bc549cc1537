"""The rules of the house that no single source file can keep."""

from __future__ import annotations

import ast
import inspect
import os
import re
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from graphlib import TopologicalSorter
from importlib import import_module
from importlib.metadata import packages_distributions
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Distribution:
    """One of the four, as its files describe it."""

    folder: Path
    package: str

    @property
    def source(self) -> Path:
        return self.folder / "src" / "rnnx" / self.package

    @cached_property
    def project(self) -> dict[str, Any]:
        return tomllib.loads((self.folder / "pyproject.toml").read_text("utf-8"))["project"]

    @property
    def name(self) -> str:
        return self.project["name"]

    @property
    def requirements(self) -> dict[str, Requirement]:
        extras = self.project.get("optional-dependencies", {})
        parsed = map(Requirement, [*self.project["dependencies"], *chain.from_iterable(extras.values())])
        return {canonicalize_name(requirement.name): requirement for requirement in parsed}

    @property
    def targets(self) -> list[str]:
        """Every ``module:object`` that an entry point or a script names."""
        groups = [*self.project.get("entry-points", {}).values(), self.project.get("scripts", {})]
        return [target for group in groups for target in group.values()]

    @property
    def files(self) -> list[Path]:
        return sorted(self.source.rglob("*.py"))

    @property
    def modules(self) -> list[str]:
        return [
            ".".join(path.relative_to(self.folder / "src").with_suffix("").parts).removesuffix(".__init__")
            for path in self.files
        ]


CORE, CELLS, TASKS = (Distribution(ROOT / "packages" / name, name) for name in ("core", "cells", "tasks"))
CLI = Distribution(ROOT / "cli", "cli")
DISTRIBUTIONS = {distribution.package: distribution for distribution in (CORE, CELLS, TASKS, CLI)}

each_distribution = pytest.mark.parametrize("distribution", DISTRIBUTIONS.values(), ids=DISTRIBUTIONS)


def python(*arguments: str, **environment: str) -> str:
    """What a fresh interpreter prints; its complaint is the failure's text."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def imported(path: Path) -> Iterator[str]:
    """The modules that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: a relative import"
            yield str(node.module)


def public(module: str) -> Iterator[tuple[str, object]]:
    """The classes, functions and methods that a module defines for others, by their dotted names."""
    for name, thing in vars(import_module(module)).items():
        if name.startswith("_") or getattr(thing, "__module__", None) != module:
            continue
        if inspect.isfunction(thing) or inspect.isclass(thing):
            yield f"{module}.{name}", thing
        if inspect.isclass(thing):
            for attribute, value in vars(thing).items():
                member = value.__func__ if isinstance(value, classmethod | staticmethod) else value
                if not attribute.startswith("_") and (
                    inspect.isfunction(member) or isinstance(member, property)
                ):
                    yield f"{module}.{name}.{attribute}", getattr(thing, attribute)


def imported_first(path: Path) -> Iterator[str]:
    """The modules that a file imports when it is imported, and names in them, which may be modules too."""
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names))


@each_distribution
def test_the_namespace_has_no_init_file(distribution: Distribution) -> None:
    assert distribution.source.is_dir()
    assert [path.name for path in distribution.source.parent.iterdir() if path.name != "__pycache__"] == [
        distribution.package
    ]


@each_distribution
def test_it_is_typed(distribution: Distribution) -> None:
    assert (distribution.source / "py.typed").is_file()


def test_the_four_have_one_version() -> None:
    assert len({distribution.project["version"] for distribution in DISTRIBUTIONS.values()}) == 1


@each_distribution
def test_it_depends_on_its_siblings_as_the_star_says_and_at_its_own_version(
    distribution: Distribution,
) -> None:
    siblings = {
        "core": set(),
        "cells": {CORE.name},
        "tasks": {CORE.name},
        "cli": {CORE.name, CELLS.name, TASKS.name},
    }[distribution.package]
    ours = {
        name: str(r.specifier) for name, r in distribution.requirements.items() if name.startswith("rnnx")
    }
    assert ours == dict.fromkeys(siblings, f"=={distribution.project['version']}")


@each_distribution
def test_it_declares_what_it_imports_and_nothing_else(distribution: Distribution) -> None:
    providers = packages_distributions()
    tops = {name.partition(".")[0] for path in distribution.files for name in imported(path)}
    third_party = tops - sys.stdlib_module_names - {"rnnx"}
    used = {canonicalize_name(provider) for top in third_party for provider in set(providers[top])}
    assert used == {name for name in distribution.requirements if not name.startswith("rnnx")}


@each_distribution
def test_every_entry_point_names_something_that_its_own_files_define(distribution: Distribution) -> None:
    for target in distribution.targets:
        module, _, name = target.partition(":")
        path = (distribution.folder / "src").joinpath(*module.split(".")).with_suffix(".py")
        assert path.is_file(), target
        body = ast.parse(path.read_text("utf-8")).body
        defined = [node.name for node in body if isinstance(node, ast.ClassDef | ast.FunctionDef)]
        assert name in defined, target


@pytest.mark.parametrize("name", CELLS.project["entry-points"]["rnnx.cells"])
def test_a_cell_is_a_file_of_its_name_whose_first_line_is_a_paper(name: str) -> None:
    module = name.replace("-", "_")
    assert CELLS.project["entry-points"]["rnnx.cells"][name].startswith(f"rnnx.cells.{module}:")
    first = (CELLS.source / f"{module}.py").read_text("utf-8").partition("\n")[0]
    assert re.match(r'r?""".*\b(19|20)\d\d\b', first), first


@each_distribution
def test_every_source_file_has_a_test_file(distribution: Distribution) -> None:
    tests = ROOT / "tests" / distribution.package
    missing = [
        str(path.relative_to(ROOT))
        for path in distribution.files
        if path.name != "__init__.py"
        and not (tests / path.relative_to(distribution.source)).with_name(f"test_{path.name}").is_file()
    ]
    assert not missing


@each_distribution
def test_every_public_name_is_documented(distribution: Distribution) -> None:
    undocumented = [
        name for module in distribution.modules for name, thing in public(module) if not inspect.getdoc(thing)
    ]
    assert not undocumented


def test_a_class_that_nothing_extends_is_final() -> None:
    """What is written to be extended is abstract, a protocol, or extended by us."""
    sources = chain.from_iterable(distribution.files for distribution in DISTRIBUTIONS.values())
    trees = {path: ast.parse(path.read_text("utf-8")) for path in sources}
    classes = [(path, node) for path, tree in trees.items() for node in ast.walk(tree)]
    found = [(path, node) for path, node in classes if isinstance(node, ast.ClassDef)]
    extended = {_last_name(base) for _, node in found for base in node.bases}
    loose = [
        f"{path}:{node.lineno} {node.name}"
        for path, node in found
        if node.name not in extended
        and "final" not in map(_last_name, node.decorator_list)
        and not {"ABC", "Protocol"} & set(map(_last_name, node.bases))
    ]
    assert loose == []


def _last_name(node: ast.expr) -> str:
    """Of ``a.b[c]``, ``b``."""
    return ast.unparse(node).partition("[")[0].partition("(")[0].rpartition(".")[2]


@each_distribution
def test_its_files_import_one_way(distribution: Distribution) -> None:
    """None is imported while it imports another; what is named for types alone, or in a function, may."""
    paths = dict(zip(distribution.modules, distribution.files, strict=True))
    order: TopologicalSorter[str] = TopologicalSorter()
    for module, path in paths.items():
        others = (name for name in imported_first(path) if not f"{module}.".startswith(f"{name}."))
        order.add(module, *(name for name in others if name in paths))
    assert set(order.static_order()) == paths.keys()


def test_nobody_imports_against_the_star() -> None:
    lint = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([lint, "--no-cache", "--no-logo"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    "module",
    [
        *[
            "core.errors",
            "core.registry",
            "core.options",
            "core.declarations.validation",
            "core.spec",
            "core.resolution",
            "cli.app",
        ],
        *[
            "core.declarations.aims",
            "core.running.history",
            "core.comparing.record",
            "core.comparing.comparison",
            "cli.scoreboard",
        ],
    ],
)
def test_it_is_imported_without_torch(module: str) -> None:
    loaded = python("-c", f"import sys, rnnx.{module}; print(*sys.modules)").split()
    assert f"rnnx.{module}" in loaded
    assert not {"torch", "lightning", "wandb", "matplotlib", "datasets"} & set(loaded)


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The wheel of each distribution, by its name."""
    folder = tmp_path_factory.mktemp("wheels")
    folders = [str(distribution.folder) for distribution in DISTRIBUTIONS.values()]
    python("-m", "pip", "wheel", "-qq", "--no-deps", "--no-build-isolation", "-w", str(folder), *folders)
    return {canonicalize_name(path.name.partition("-")[0]): path for path in folder.iterdir()}


@pytest.mark.slow
@each_distribution
def test_its_wheel_needs_only_what_it_declares(
    distribution: Distribution, wheels: dict[str, Path], tmp_path: Path
) -> None:
    ours = [distribution.name, *(name for name in distribution.requirements if name.startswith("rnnx"))]
    python(
        "-m",
        "pip",
        "install",
        "-qq",
        "--no-deps",
        "--no-index",
        "--target",
        str(tmp_path),
        *(str(wheels[name]) for name in ours),
    )

    # without `site` no .pth file is read, so that the editable installs of this environment are out of sight
    path = ":".join([str(tmp_path), *{sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}])
    program = "\n".join(
        [
            "import rnnx",
            "from importlib import import_module, metadata",
            f"assert list(rnnx.__path__) == [{str(tmp_path / 'rnnx')!r}], rnnx.__path__",
            f"for module in {distribution.modules}: import_module(module)",
            f"for entry in metadata.distribution({distribution.name!r}).entry_points: entry.load()",
        ]
    )
    python("-S", "-c", program, PYTHONPATH=path)
    assert (tmp_path / "rnnx" / distribution.package / "py.typed").is_file()


@pytest.mark.slow
@each_distribution
def test_its_wheel_holds_every_file_of_its_source(
    distribution: Distribution, wheels: dict[str, Path]
) -> None:
    with zipfile.ZipFile(wheels[distribution.name]) as wheel:
        held = set(wheel.namelist())
    files = (path.relative_to(distribution.folder / "src") for path in distribution.source.rglob("*.*"))
    assert {file.as_posix() for file in files if "__pycache__" not in file.parts} <= held
