"""A distribution with a plugin in it, made from templates: what ``rnnx new`` writes."""

from __future__ import annotations

import ast
import keyword
import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from string import Template
from typing import Final, Literal, TypeAlias, final

from rnnx.core.declarations.source import locate
from rnnx.core.errors import RunError, UsageError
from rnnx.core.files import make_folder
from rnnx.core.registry import PER_TASK, find, plugins, split

Kind: TypeAlias = Literal["cell", "task", "data"]

TEMPLATES: Final = Path(__file__).with_name("templates")
FOLDER: Final = "template"  # beside a task's data `toy`: what is particular to data for this task
ENDING: Final = ".template"  # of files whose $words are replaced; others are copied
NAME: Final = re.compile("[a-z][a-z0-9]*([-_][a-z0-9]+)*")


@final
@dataclass(frozen=True)
class Names:
    """What a new plugin and the parts of its distribution are called.

    Args:
        kind: What it is.
        name: Name of its entry point.

    Raises:
        UsageError: no plugin of this kind can have such a name.

    Example:
        >>> names = Names("data", "nmt.my-texts")
        >>> names.distribution, names.module, names.class_name
        ('nmt-my-texts', 'nmt_my_texts', 'MyTexts')
    """

    kind: Kind
    name: str

    def __post_init__(self) -> None:
        if self.kind in PER_TASK and not self.task:
            raise UsageError(f"{self.kind}: expected TASK.NAME, such as nmt.mine, got {self.name!r}")
        if not NAME.fullmatch(self.short) or any(map(keyword.iskeyword, (self.module, self.class_name))):
            raise UsageError(
                f"{self.kind}: expected a name of small letters, digits and hyphens, such as my-{self.kind}, "
                f"and no word of Python's; got {self.short!r}"
            )

    @property
    def task(self) -> str | None:
        """The task that data is for; None for other kinds."""
        return split(self.kind, self.name)[0]

    @property
    def short(self) -> str:
        """The name as the user of the plugin types it."""
        return split(self.kind, self.name)[1]

    @property
    def distribution(self) -> str:
        """Name of the distribution."""
        return self.name.replace(".", "-")

    @property
    def module(self) -> str:
        """Name of its module or package."""
        return self.distribution.replace("-", "_")

    @property
    def class_name(self) -> str:
        """Name of the class."""
        return "".join(word.capitalize() for word in re.split("[-_]", self.short))

    @property
    def words(self) -> dict[str, str]:
        """What the templates call these."""
        return {
            "name": self.name,
            "short": self.short,
            "task": self.task or "",
            "distribution": self.distribution,
            "module": self.module,
            "class_name": self.class_name,
        }


@final
@dataclass(frozen=True)
class Skeleton:
    """The files of a new distribution.

    Args:
        files: What is in them, by their paths in its folder.
    """

    files: Mapping[str, bytes]

    @classmethod
    def of(cls, names: Names) -> Skeleton:
        """The distribution of a new plugin.

        Args:
            names: What it is called.

        Raises:
            UsageError: the name is taken, or there is no such task, or none that says how its data is read.
        """
        _require_free(names)
        files = dict(_rendered(TEMPLATES / names.kind, names))
        if names.task is not None:
            particular = _rendered(_of_the_task(names.task, names.name), names)
            files |= {f"{names.module}/{path}": content for path, content in particular}
        for path, content in files.items():
            if path.endswith(".py") and names.class_name in _imported(content):
                raise UsageError(
                    f"{names.kind}: the class of {names.short!r} would be called {names.class_name!r}, as "
                    "one that it needs; take another name"
                )
        return cls(files)

    def write(self, folder: Path) -> None:
        """Writes all files, or nothing.

        Args:
            folder: Where; it must not be there yet.

        Raises:
            UsageError: it is.
            RunError: the disk does not take it.
        """
        if folder.exists() or folder.is_symlink():
            raise UsageError(f"'{folder}' is there already; take another name, or say --path FOLDER")
        make_folder(folder, new=True)
        with ExitStack() as undo:
            undo.callback(rmtree, folder)
            for name, content in self.files.items():
                make_folder((folder / name).parent)
                try:
                    (folder / name).write_bytes(content)
                except OSError as error:
                    raise RunError(f"{folder / name}: could not be written: {error.strerror}") from error
            undo.pop_all()


def _require_free(names: Names) -> None:
    for plugin in plugins(names.kind):
        if plugin.name == names.name:
            raise UsageError(f"{plugin.title} is there already, of {plugin.origin}; take another name")
    if locate(names.module) is not None:
        raise UsageError(
            f"{names.kind}: there is a module {names.module!r} already, which would be hidden; take another "
            "name"
        )


def _of_the_task(task: str, name: str) -> Path:
    """The folder of what is particular to data for a task.

    Args:
        task: The task.
        name: Of the new data.
    """
    owner = find("task", task)
    like = "a subclass of rnnx.core.data.Data"
    for toy in [data for data in plugins("data") if data.name == f"{task}.toy"]:
        like = f"a class like {toy.target}"
        package = locate(toy.target.partition(":")[0].rpartition(".")[0])
        for place in (package and package.submodule_search_locations) or ():
            if (Path(place) / FOLDER).is_dir():
                return Path(place) / FOLDER
    raise UsageError(
        f"data: task {task!r} of {owner.origin} has no template; write {like}, and name it in your "
        f"pyproject.toml, '{name}' = 'MODULE:CLASS' under [project.entry-points.'rnnx.data']"
    )


def _rendered(root: Path, names: Names) -> Iterator[tuple[str, bytes]]:
    """The files below a folder, their paths and texts with the names filled in."""
    for file in sorted(root.rglob("*")):
        path = Template(file.relative_to(root).as_posix()).substitute(names.words)
        if path.endswith(ENDING):
            text = Template(file.read_text("utf-8")).substitute(names.words)
            yield path.removesuffix(ENDING), text.encode()
        elif file.is_file():
            yield path, file.read_bytes()


def _imported(content: bytes) -> set[str]:
    """The names that a module gets from others."""
    imports = [node for node in ast.walk(ast.parse(content)) if isinstance(node, ast.Import | ast.ImportFrom)]
    return {alias.asname or alias.name for node in imports for alias in node.names}
