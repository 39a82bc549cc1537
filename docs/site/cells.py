"""A page for each cell, made from its file: paper, equations, options, size, results, gradient flow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from docs.site import flow, ledger
from docs.site.options import options_table
from docs.site.page import Page
from docs.site.prose import example, markdown
from rnnx.cli.screen import in_markdown
from rnnx.core.anatomy import Anatomy, dissect
from rnnx.core.declarations.docstrings import documentation, paper, summary
from rnnx.core.options import options_of
from rnnx.core.registry import Plugin, plugins

DISTRIBUTION: Final = "rnnx-cells"
SIZE: Final = 256


def pages() -> list[Page]:
    """The list of cells, and a page for each."""
    built_in = [plugin for plugin in plugins("cell") if plugin.distribution == DISTRIBUTION]
    curves = {plugin.name: flow.untrained(plugin.name) for plugin in built_in}
    measured = {plugin.name: dissect(plugin.load(), SIZE, SIZE) for plugin in built_in}
    return [_overview(built_in, measured), *(_page(p, measured[p.name], curves) for p in built_in)]


def _overview(cells: list[Plugin], measured: Mapping[str, Anatomy]) -> Page:
    rows = [
        (
            f"[`{plugin.name}`]({plugin.name}.md)",
            markdown(summary(plugin)),
            f"{measured[plugin.name].parameters:,}",
            "own equations" if measured[plugin.name].composes else "sum of children",
        )
        for plugin in cells
    ]
    lines = [
        "# Cells",
        "One cell, one file; the paper stands on its first line. Each of them runs with every task, as an "
        "encoder, as a decoder, on a sequence and on a tree. `rnnx list cells` prints this, with your own.",
        in_markdown(("cell", "what it is", f"parameters, {SIZE} wide", "a tree's node"), rows),
    ]
    return Page("cells/index.md", "\n\n".join(lines))


def _page(plugin: Plugin, anatomy: Anatomy, curves: Mapping[str, Sequence[float]]) -> Page:
    name = plugin.name
    lines = [
        f"# {name}",
        f"*{markdown(paper(plugin))}*",
        markdown(documentation(plugin)),
        example(documentation(plugin)),
        "## Options",
        options_table(options_of(plugin), "cell."),
        "## State and size",
        *_anatomy(anatomy),
        "## Results",
        *_results(name),
        "## Gradient flow",
        f"![How far back {name} remembers before training, among the other cells](flow-{name}.svg)",
        "Before training: the norm of the derivative of the last state by the state so many steps before it, "
        "of this cell in colour and of the others in grey, 64 units wide with the weights they start with "
        f"(seed 1), over {flow.STEPS} steps of the adding problem. What is learnt changes it: of a run of "
        "yours, `rnnx flow RUN` measures the same.",
        "## Source",
        f'??? quote "{_source(plugin).name}"',
        _indented(f"```python\n{_source(plugin).read_text('utf-8')}```"),
    ]
    text = "\n\n".join(line for line in lines if line)
    return Page(f"cells/{name}.md", text, {f"cells/flow-{name}.svg": flow.picture(name, curves)})


def _anatomy(anatomy: Anatomy) -> Iterator[str]:
    states = " and ".join(map(str, anatomy.states))
    yield (
        f"With an input of {SIZE} and `cell.hidden_size={SIZE}` its state is {states} numbers wide, and "
        f"{anatomy.parameters:,} are trained. "
        + (
            "A tree's node is made by equations of its own. "
            if anatomy.composes
            else "A tree's node is a step from the sum of its children's states. "
        )
        + (
            "It has a faster way of its own to read whole sequences."
            if anatomy.fused
            else "Whole sequences are read by the engine's plan of its step."
        )
    )


def _results(name: str) -> Iterator[str]:
    found = ledger.extracts(name)
    for extract in found:
        yield f"From [{extract.heading}](../results.md#{extract.anchor}):"
        yield "\n".join([extract.head, *extract.rows])
    if not found:
        yield "The [ledger](../results.md) has none yet."


def _source(plugin: Plugin) -> Path:
    spec = find_spec(plugin.target.partition(":")[0])
    assert spec
    assert spec.origin
    return Path(spec.origin)


def _indented(text: str) -> str:
    return "\n".join(f"    {line}".rstrip() for line in text.splitlines())
