from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from rnnx.cli.report_page import clean, page, told
from rnnx.core.comparing.comparison import compare
from rnnx.core.comparing.record import Record, Shown
from rnnx.core.comparing.significance import Difference
from tests.runs import write_run

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
ATTACK = "<script>document.title='taken'</script><img src=x onerror=\"document.title='taken'\">"
FLOW = [{"layer": "net.layers.0", "loss": [1.0, 0.5, 0.2], "state": [1.0, 0.1, 0.0]}]

Write = Callable[..., Path]


def history(loss: float) -> str:
    rows = [f"0,{step},{loss / step},\n0,{step},,{2 * loss / step}\n" for step in range(1, 9)]
    return "epoch,step,train/loss,valid/bleu\n" + "".join(rows)


def sample(source: str, answer: str, html: str | None = None) -> dict[str, dict[str, str | None]]:
    return {
        "source": {"text": source, "html": None},
        "reference": {"text": f"ref {source}", "html": None},
        "translation": {"text": answer, "html": html},
    }


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes the page of runs that lie in a folder, and says where it is."""

    def _write(baseline: str | None = None) -> Path:
        folders = sorted(path.parent for path in tmp_path.glob("runs/*/config.yaml"))
        text = page(compare([Record.read(folder) for folder in folders], baseline), "rnnx report")
        (tmp_path / "report.html").write_text(text, "utf-8")
        return tmp_path / "report.html"

    return _write


@pytest.fixture
def report(tmp_path: Path, write: Write) -> Path:
    """A page of two cells over two seeds, and of a run that has not ended."""
    for cell, seed, bleu in (("gru", 1, 9.0), ("gru", 2, 11.0), ("lstm", 1, 100.0), ("lstm", 2, 120.0)):
        folder = write_run(
            tmp_path / "runs" / f"{cell}-{seed}",
            "task=nmt",
            f"cell={cell}",
            f"seed={seed}",
            test={"bleu": bleu, "loss": 1 / bleu},
            valid={"bleu": bleu - 1},
            parameters=5000 if cell == "gru" else 900,
            history=history(bleu),
            samples=[sample("uno", f"one {cell} {seed}", f"<b>one</b> {cell} {seed}"), sample("dos", "two")],
            flow=FLOW,
        )
        (folder / "plots").mkdir()
        for name in ("attention", "curves"):
            (folder / "plots" / f"{name}.png").write_bytes(PNG)
    write_run(tmp_path / "runs" / "unfinished", "task=nmt", "cell=elman")
    return write()


class Elements(HTMLParser):
    """The elements of a page, and the texts of those that hold data or scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        self.texts += [""] * (tag == "script")

    def handle_data(self, data: str) -> None:
        if self.cdata_elem == "script":
            self.texts[-1] += data


def test_the_page_points_at_nothing_outside(report: Path) -> None:
    elements = Elements(report.read_text("utf-8"))
    addresses = [
        value
        for _, attributes in elements.found
        for name, value in attributes.items()
        if name in ("src", "href", "action", "srcset", "data")
    ]
    assert addresses
    assert all((address or "").startswith(("data:", "#")) for address in addresses)


def test_the_policy_allows_the_pages_own_scripts_and_no_others(report: Path) -> None:
    elements = Elements(report.read_text("utf-8"))
    [policy] = [attributes["content"] or "" for _, attributes in elements.found if "http-equiv" in attributes]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["img-src"] == "data: blob:"
    data, *scripts = elements.texts
    expected = [base64.b64encode(sha256(text.encode()).digest()).decode() for text in scripts]
    assert rules["script-src"].split() == [f"'sha256-{digest}'" for digest in expected]
    assert len(scripts) == 2
    assert set(json.loads(data)) == {"runs", "charts"}


def test_curves_are_the_numbers_of_the_files(report: Path) -> None:
    data = json.loads(Elements(report.read_text("utf-8")).texts[0])
    charts = {chart["title"]: chart for chart in data["charts"].values()}
    assert list(charts) == [
        "train loss",
        "valid bleu",
        "memory of the state: net.layers.0",
        "gradient of the loss: net.layers.0",
    ]
    lines = {data["runs"][line["run"]]["label"]: line for line in charts["train loss"]["lines"]}
    assert set(lines) == {"gru, seed 1", "gru, seed 2", "lstm, seed 1", "lstm, seed 2"}
    assert lines["gru, seed 1"]["x"] == list(range(1, 9))
    assert lines["gru, seed 1"]["y"][:3] == [9.0, 4.5, 3.0]
    assert charts["memory of the state: net.layers.0"]["lines"][0]["y"] == [1.0, 0.1, None]


def test_a_long_curve_is_thinned_and_keeps_its_end(tmp_path: Path, write: Write) -> None:
    rows = "".join(f"{step},{step * 0.001}\n" for step in range(1, 5001))
    write_run(tmp_path / "runs" / "a", "task=lm", history=f"step,train/loss\n{rows}")
    [chart] = json.loads(Elements(write().read_text("utf-8")).texts[0])["charts"].values()
    assert len(chart["lines"][0]["x"]) == 1000
    assert (chart["lines"][0]["x"][-1], chart["lines"][0]["y"][-1]) == (5000, 5.0)


def test_a_row_has_its_colour_and_its_kind_of_line_in_every_table(tmp_path: Path, write: Write) -> None:
    for task, cells in (("lm", ("gru", "lstm")), ("nmt", ("lstm", "gru"))):
        for loss, cell in enumerate(cells, 1):
            scores = {"loss": float(loss), "perplexity": float(loss), "bleu": 1.0 / loss}
            write_run(tmp_path / "runs" / f"{task}-{cell}", f"task={task}", f"cell={cell}", test=scores)
    runs = json.loads(Elements(write().read_text("utf-8")).texts[0])["runs"].values()
    assert [run["label"] for run in runs] == [f"{cell}, seed 1" for cell in ("gru", "lstm", "lstm", "gru")]
    assert len({tuple(sorted(run.items())) for run in runs}) == 2
    assert len({(run["colour"], run["dash"]) for run in runs}) == 2


def test_a_fragment_is_left_without_what_could_do_harm() -> None:
    assert clean(Shown("", f"<b>a</b>{ATTACK}")) == "<b>a</b><img>"
    assert clean(Shown("", "<a href='javascript:x()'>a</a><iframe src='//x'></iframe>")) == "a"
    assert (
        clean(Shown("", "<p style='position:fixed;color:red;inset:0'>a</p>")) == '<p style="color:red">a</p>'
    )
    assert "//example.com" not in clean(Shown("", "<img src='//example.com/x.png'>"))
    assert "<" not in clean(Shown(ATTACK, None))


def test_what_exhibits_are_made_of_stays() -> None:
    picture = '<img src="data:image/png;base64,AAAA" alt="a" style="max-width:100%">'
    marked = '<span style="background:#0072b240;border-bottom:2px solid #0072b2;padding:0 0.25em">Ada</span>'
    assert clean(Shown("", picture)) == picture
    assert clean(Shown("", marked)) == marked


def test_a_difference_is_told_in_a_few_words() -> None:
    assert told(Difference(1.25, (0.0, 2.0), 0.0004)) == "+1.25, p < 0.001"


@pytest.mark.browser
def test_the_page_has_everything(page: Page, report: Path) -> None:
    page.goto(report.as_uri())
    assert page.locator(".scores tbody th").all_inner_texts() == ["lstm", "gru", "elman"]
    assert page.locator(".scores tbody tr").nth(0).locator("td.best").count() > 0
    assert "no result" in page.locator(".scores tbody tr").nth(2).inner_text()
    assert page.locator(".charts .chart .main-svg").count() >= 4
    first = page.locator(".example").nth(0)
    assert first.locator(".given").inner_text().split("\n") == ["source", "uno", "reference", "ref uno"]
    assert first.locator(".answer dd").all_inner_texts() == [
        f"one {cell} {seed}" for cell in ("lstm", "gru") for seed in (1, 2)
    ]
    assert page.locator("img[alt='attention of gru, seed 1']").evaluate("image => image.naturalWidth") == 1
    assert page.get_by_text("curves", exact=True).count() == 0
    assert page.locator(".settings").inner_text().split() == [
        "lstm",
        "gru",
        "elman",
        "cell.name",
        "lstm",
        "gru",
        "elman",
    ]
    assert page.get_by_text("rnnx run task=nmt cell=gru seed=2").count() == 1
    assert page.get_by_text("rnnx 0.1.0, python 3.11.7").count() == 1


@pytest.mark.browser
def test_a_heading_sorts_by_mouse_and_by_keyboard(page: Page, report: Path) -> None:
    page.goto(report.as_uri())
    rows = page.locator(".scores tbody th")
    bleu = page.locator(".scores th").filter(has=page.get_by_role("button", name="bleu")).first
    assert bleu.get_attribute("aria-sort") == "descending"
    bleu.get_by_role("button").click()
    assert bleu.get_attribute("aria-sort") == "ascending"
    assert rows.all_inner_texts() == ["gru", "lstm", "elman"]  # by number, and what has none stays last
    page.get_by_role("button", name="parameters").focus()
    page.keyboard.press("Enter")
    assert rows.all_inner_texts() == ["lstm", "gru", "elman"]  # 900 before 5000
    assert bleu.get_attribute("aria-sort") == "none"
    assert page.locator(".scores [aria-sort=ascending]").inner_text() == "parameters"
    page.get_by_role("button", name="model").click()
    assert rows.all_inner_texts() == ["elman", "gru", "lstm"]


@pytest.mark.browser
def test_a_box_shows_and_hides_runs_everywhere(page: Page, report: Path) -> None:
    page.goto(report.as_uri())
    answers = page.locator(".example").first.locator(".answer:visible")
    lines = page.locator(".chart").first.locator(".trace")
    assert (answers.count(), lines.count()) == (4, 4)
    page.get_by_role("checkbox", name="gru, seed 2").uncheck()
    assert (answers.count(), lines.count()) == (3, 3)
    row = page.get_by_role("checkbox", name="gru", exact=True)
    assert row.evaluate("box => box.indeterminate")
    row.uncheck()
    assert (answers.count(), lines.count()) == (2, 2)
    assert all(chart.locator(".trace").count() == 2 for chart in page.locator(".chart").all())
    page.get_by_role("checkbox", name="gru", exact=True).check()
    assert (answers.count(), lines.count()) == (4, 4)
    assert page.get_by_role("checkbox", name="gru, seed 2").is_checked()


@pytest.mark.browser
def test_a_phone_needs_no_scrolling_sideways(page: Page, report: Path) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto(report.as_uri())
    page.wait_for_selector(".main-svg")
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    assert page.locator(".wide").first.evaluate("box => box.scrollWidth > box.clientWidth")


@pytest.mark.browser
def test_the_dark_has_colours_of_its_own_in_the_charts_too(page: Page, report: Path) -> None:
    page.goto(report.as_uri())

    def colours() -> list[str]:
        return page.evaluate(
            "[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color, "
            "getComputedStyle(document.querySelector('.main-svg')).backgroundColor, "
            "document.querySelector('.trace path').style.stroke]"
        )

    page.emulate_media(color_scheme="light")
    light = colours()
    page.emulate_media(color_scheme="dark")
    expect(page.locator(".main-svg").first).not_to_have_css("background-color", "rgb(255, 255, 255)")
    dark = colours()
    assert light[0] == light[2] == "rgb(255, 255, 255)"
    assert dark[0] == dark[2] != light[0]
    assert dark[1] != light[1]
    assert dark[3] != light[3]


@pytest.mark.browser
def test_names_and_fragments_made_to_do_harm_do_none(page: Page, tmp_path: Path, write: Write) -> None:
    for name in ("a", "b"):
        folder = write_run(
            tmp_path / "runs" / f"{name}<img src=x onerror=alert(1)>",
            "task=lm",
            "data=files",
            f"data.text={name}{ATTACK}",
            test={f"loss{ATTACK}": 1.0, "perplexity": 2.0},
            history=f'step,"{ATTACK.replace(chr(34), chr(39))}"\n1,2\n2,3\n',
            samples=[
                {f"in{ATTACK}": {"text": ATTACK, "html": None}, "out": {"text": name, "html": ATTACK + name}}
            ],
            flow=[FLOW[0] | {"layer": ATTACK}],
            command=ATTACK,
            versions={ATTACK: ATTACK},
        )
        assert folder.is_dir()
    page.goto(write().as_uri())
    page.wait_for_selector(".main-svg")
    page.locator(".trace").first.hover(force=True)
    assert "taken" not in page.title()
    assert page.locator("img[onerror]").count() == 0
    assert page.locator("script").count() == 3
    assert page.locator(".answer").first.locator("dd").inner_text() == "a"


@pytest.mark.browser
def test_a_foreign_script_would_not_run(page: Page, problems: list[str], report: Path) -> None:
    text = report.read_text("utf-8").replace("<main>", f"<main>{ATTACK}", 1)
    report.write_text(text, "utf-8")
    page.goto(report.as_uri())
    page.wait_for_selector(".main-svg")
    assert "taken" not in page.title()
    assert sum("Content Security Policy" in problem for problem in problems) >= 2
    problems.clear()


@pytest.mark.browser
def test_it_prints_in_black_on_white(page: Page, report: Path, tmp_path: Path) -> None:
    page.emulate_media(color_scheme="dark")
    page.goto(report.as_uri())
    page.wait_for_selector(".main-svg")
    page.pdf(path=tmp_path / "report.pdf", format="A4")
    assert re.match(rb"%PDF-", (tmp_path / "report.pdf").read_bytes())
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.locator(".runs input:visible").count() == 0
