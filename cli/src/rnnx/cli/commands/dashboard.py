"""``rnnx dashboard``: where runs that W&B tracked are seen, and a view there that compares them."""

from __future__ import annotations

import json
import os
import shlex
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import typer
from rich.console import Group

from rnnx.cli.arguments import Compared, Json, Out
from rnnx.cli.screen import display, say, table
from rnnx.core.errors import UsageError
from rnnx.core.files import write_text
from rnnx.core.runs import CONFIG, OUT, RESULT, find_runs, read_result
from rnnx.core.tracking.wandb_runs import Tracked, has_key, tracked

if TYPE_CHECKING:
    from rich.console import RenderableType

VIEWS = "wandb-views.json"  # in the folder that holds runs: the address of each project's view
STATES = {"offline": "offline", "sent": "offline, sent", "online": "online"}


@final
@dataclass(frozen=True)
class Dashboard:
    """Where runs are seen.

    Args:
        tracked: What W&B wrote of them on this machine.
        views: The address of the view of each project that there is one of.
    """

    tracked: Sequence[Tracked]
    views: Mapping[str, str]

    def to_plain(self) -> dict[str, Any]:
        """As JSON knows it."""
        runs = [
            {"run": one.run, "folder": str(one.folder), "state": one.state, "see": _see(one)}
            for one in self.tracked
        ]
        return {"runs": runs, "send": self._send(), "views": dict(self.views)}

    def __rich__(self) -> RenderableType:
        here = [(one.run, STATES[one.state], _see(one)) for one in self.tracked]
        there = [("send", self._send() or "nothing is left to be sent")]
        there += [("compare", url) for url in self.views.values()]
        return Group(table(("run", "tracked", "see it in the terminal"), here), "", table(("", ""), there))

    def _send(self) -> str | None:
        """The command that uploads what was tracked offline."""
        left = [str(one.folder) for one in self.tracked if one.state == "offline"]
        return shlex.join(["wandb", "sync", *left]) if left else None


def dashboard(
    runs: Compared = None,
    out: Out = OUT,
    as_json: Json = False,
) -> None:
    """Say how to see the runs that W&B tracked; with a key, set up a view there that compares them.

    rnnx dashboard
    """
    folders = find_runs(runs or (), out)
    found = [one for folder in folders for one in tracked(folder)]
    if not found:
        raise UsageError(
            f"{out}: expected runs that W&B tracked, and there is none; train one with: rnnx run logger=wandb"
        )
    shown = Dashboard(found, _views(folders, Path(out)))
    if as_json:
        typer.echo(json.dumps(shown.to_plain(), indent=2, ensure_ascii=False))
    else:
        display(shown)


def _see(one: Tracked) -> str:
    return shlex.join(["wandb", "leet", str(one.folder)])


def _views(folders: Sequence[Path], out: Path) -> dict[str, str]:
    """The address of each project's view, which is set up the first time that there is a key."""
    path = out / VIEWS
    known: dict[str, str] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    projects = _projects(folders)
    missing = projects.keys() - known.keys()
    if missing and os.environ.get("WANDB_MODE", "online") == "online" and has_key():
        from rnnx.core.tracking.workspace import set_up

        for project in sorted(missing):
            metrics, pictures = _content(projects[project])
            entity, _, name = project.rpartition("/")
            try:
                known[project] = set_up(name, entity or None, metrics, pictures)
            except Exception as error:  # whatever W&B and the way to it may do; the rest is of use without
                say(f"the view of project {project} could not be set up: {error}")
        write_text(path, json.dumps(known, indent=2) + "\n")
    return {project: known[project] for project in projects if project in known}


def _projects(folders: Sequence[Path]) -> dict[str, list[Path]]:
    """The runs of each project of W&B's, by its name, with the user or team before it where that is said."""
    from rnnx.core.yaml import yaml

    projects = defaultdict(list)
    for folder in folders:
        logger = yaml().load((folder / CONFIG).read_text(encoding="utf-8"))["logger"]
        if logger["name"] == "wandb":
            names = filter(None, (logger["entity"], logger["project"]))
            projects["/".join(names)].append(folder)
    return dict(projects)


def _content(folders: Sequence[Path]) -> tuple[set[str], set[str]]:
    """By what runs that have ended were measured, and the names of their pictures."""
    ended = [folder for folder in folders if (folder / RESULT).is_file()]
    metrics = {name for folder in ended for name in read_result(folder)["test"]}
    return metrics, {path.stem for folder in ended for path in (folder / "plots").glob("*.png")}
