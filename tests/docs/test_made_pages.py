"""The pages that are made from the program: nothing is left out, and they say what the program says."""

from __future__ import annotations

import pytest

from docs.site import cells, command_line, flow, ledger, options
from docs.site.page import Page
from rnnx.cli.app import COMMANDS
from rnnx.core.config import KEYS, SECTIONS, UNNAMED
from rnnx.core.options import options_of
from rnnx.core.registry import GROUPS, plugins


@pytest.fixture(scope="module")
def option_pages() -> dict[str, str]:
    return {page.uri: page.text for page in options.pages()}


def test_every_section_has_a_page(option_pages: dict[str, str]) -> None:
    assert set(options.SECTIONS) == {*SECTIONS, *GROUPS}
    assert set(option_pages) == {f"options/{name}.md" for name in {*options.SECTIONS, "index"} - {"cell"}}
    assert all(f"`{key}`" in option_pages["options/index.md"] for key in KEYS)


@pytest.mark.parametrize("section", [section for section in options.SECTIONS if section != "cell"])
def test_every_option_is_on_the_page_of_its_section(section: str, option_pages: dict[str, str]) -> None:
    targets = [UNNAMED[section]] if section in UNNAMED else plugins(section)
    text = option_pages[f"options/{section}.md"]
    for target in targets:
        for name in options_of(target):
            assert f"\n| `{section}.{name}` |" in text


def test_every_command_is_on_the_page_of_the_command_line() -> None:
    (page,) = command_line.pages()
    assert all(f"\n## `rnnx {name}`\n" in page.text for name in COMMANDS)
    assert "\n```sh\nrnnx flow lm-elman lm-lstm\n```\n" in page.text


def test_every_cell_has_a_page_with_what_its_file_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flow, "STEPS", 10)
    monkeypatch.setattr(flow, "untrained", lambda name: (1.0, 0.5, 0.25))
    pages = {page.uri: page for page in cells.pages()}
    names = [plugin.name for plugin in plugins("cell") if plugin.distribution == "rnnx-cells"]
    assert set(pages) == {"cells/index.md", *(f"cells/{name}.md" for name in names)}
    _is_whole(pages["cells/gru.md"])
    assert all("<math" in pages[f"cells/{name}.md"].text for name in names)
    assert all(
        "merror" not in page.text and ".. math::" not in page.text.split("??? quote")[0]
        for page in pages.values()
    )


def _is_whole(page: Page) -> None:
    assert "*Cho et al. 2014" in page.text
    assert "| `cell.reset` | one of before, after | `after` |" in page.text
    assert "394,752 are trained" in page.text  # 3 * 256 rows of two matrices (256 wide) and of two biases
    assert "| `gru` | **40.9** |" in page.text
    assert "class GRU(Cell):" in page.text
    assert "<svg" in str(page.files["cells/flow-gru.svg"])


def test_an_untrained_cell_forgets() -> None:
    curve = flow.untrained("elman")
    assert curve[0] == pytest.approx(1)
    assert len(curve) == flow.STEPS
    assert curve[50] < 1e-3


LEDGER = """
# The ledger

## First: a

| cell | score |
|---|---|
| `gru` | 1 |
| `gru-like` | 2 |
| `gru`, wide | 3 |

## Second

| cell | score | cell | score |
|---|---|---|---|
| `gru` | 1 | `lstm` | 2 |
"""


def test_a_cell_is_given_its_own_rows_of_the_ledger(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "text", lambda: LEDGER)
    (extract,) = ledger.extracts("gru")
    assert extract.rows == ["| `gru` | 1 |", "| `gru`, wide | 3 |"]
    assert (extract.heading, extract.anchor) == ("First: a", "first-a")
    assert extract.head == "| cell | score |\n|---|---|"
    assert ledger.extracts("lstm") == []
