"""Every option there is, from the signatures: a page for each section of the command line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Final

from docs.site.page import Page
from docs.site.prose import markdown
from rnnx.cli.screen import in_markdown
from rnnx.core.config import KEYS, UNNAMED
from rnnx.core.declarations.aims import aims_of
from rnnx.core.declarations.docstrings import documentation
from rnnx.core.options import Option, Options, options_of
from rnnx.core.registry import PER_TASK, Plugin, plugins

SECTIONS: Final = {  # in the order of the navigation, with what each says
    "cell": "The equations: `cell=NAME` and `cell.OPTION=VALUE`.",
    "net": "How any cell is stacked, regularised and started: `net.OPTION=VALUE`.",
    "task": "What is learnt: `task=NAME` and `task.OPTION=VALUE`.",
    "data": "From what: `data=NAME` and `data.OPTION=VALUE`. Each task has data of its own.",
    "optimizer": "How the parameters move: `optimizer=NAME` and `optimizer.OPTION=VALUE`.",
    "schedule": "How the learning rate changes: `schedule=NAME` and `schedule.OPTION=VALUE`.",
    "trainer": "The arguments of Lightning's `Trainer`: `trainer.OPTION=VALUE`.",
    "checkpoint": "Which model is the best, how many are kept, and what a run can be gone on from: "
    "`checkpoint.OPTION=VALUE`.",
    "stopping": "What ends a run early: `stopping.OPTION=VALUE`.",
    "logger": "Where a run is tracked: `logger=NAME` and `logger.OPTION=VALUE`.",
    "baseline": "A model without a net: `baseline=NAME` and `baseline.OPTION=VALUE`.",
    "launcher": "Who starts the runs of `rnnx sweep`: `--launcher NAME` and `launcher.OPTION=VALUE`.",
}


def pages() -> list[Page]:
    """The overview, and a page for each section but ``cell``, whose components have pages of their own."""
    return [_overview(), *(_section(section) for section in SECTIONS if section != "cell")]


def options_table(options: Options, prefix: str) -> str:
    """Options as a table.

    Args:
        options: See :func:`rnnx.core.options.options_of`.
        prefix: What stands before an option where the user types it.
    """
    rows = (
        (
            f"`{prefix}{option.name}`",
            option.expected,
            _default(option),
            " ".join(markdown(option.doc).split()),
        )
        for option in options.values()
    )
    return in_markdown(("option", "type", "default", "meaning"), rows)


def _overview() -> Page:
    lines = [
        "# Options",
        "A word of the command line is `section=name` or `section.option=value`; in a YAML file the same "
        "keys are written dotted or nested, and what comes later wins. These pages are made from the "
        "signatures of what is installed with rnnx; `rnnx show KIND NAME` prints the same, of your own too.",
        in_markdown(
            ("section", "what it says"), ((_linked(section), said) for section, said in SECTIONS.items())
        ),
        "## Of the run itself",
        options_table(KEYS, ""),
    ]
    return Page("options/index.md", "\n\n".join(lines))


def _linked(section: str) -> str:
    return f"[`{section}`]({'../cells/index' if section == 'cell' else section}.md)"


def _section(section: str) -> Page:
    lines = [f"# {section}", SECTIONS[section]]
    if section in UNNAMED:
        target = UNNAMED[section]
        lines += [markdown(documentation(target)), options_table(options_of(target), f"{section}.")]
    else:
        lines += [part for plugin in plugins(section) for part in _component(plugin)]
    return Page(f"options/{section}.md", "\n\n".join(lines))


def _component(plugin: Plugin) -> Iterator[str]:
    title = f"{plugin.short} of {plugin.task}" if plugin.kind in PER_TASK else plugin.name
    yield f"## {title}"
    yield markdown(documentation(plugin))
    if plugin.kind == "task":
        aims = aims_of(plugin)
        best = "highest" if aims.mode == "max" else "lowest"
        yield f"The best model has the {best} `{aims.monitor}`; another metric: `checkpoint.monitor=METRIC`."
    options = options_of(plugin)
    yield options_table(options, f"{plugin.kind}.") if options else "It has no options."
    if plugin.kind == "task":
        yield "To predict: `rnnx predict RUN OPTION=VALUE`."
        yield options_table(options_of(f"{plugin.target}.predict"), "")


def _default(option: Option) -> str:
    if option.required:
        return "(required)"
    return f"`{option.default if isinstance(option.default, str) else json.dumps(option.default)}`"
