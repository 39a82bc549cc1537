from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
import torch
from matplotlib.figure import Figure

from rnnx.core.errors import InputError
from rnnx.core.exhibits.exhibit import Drawing, Exhibit, Text
from rnnx.core.exhibits.view import View
from rnnx.core.options import REQUIRED, Option
from rnnx.core.testing.tasks.check import of_the_defaults
from rnnx.core.testing.tasks.prediction import (
    check_figures_can_be_saved,
    check_predict_answers_before_the_last_line,
    check_predict_answers_every_line,
    check_samples_are_fragments_of_html,
    check_samples_are_rows_of_one_form,
    check_views_show_every_line,
    questions,
)

ONE = Text("1")
CHECKS = [
    check_figures_can_be_saved,
    check_predict_answers_before_the_last_line,
    check_predict_answers_every_line,
    check_samples_are_fragments_of_html,
    check_samples_are_rows_of_one_form,
    check_views_show_every_line,
]


@dataclass(frozen=True)
class Page(Exhibit):
    content: str

    @property
    def html(self) -> str:
        return self.content


def view(title: str, *shown: Any, **options: Option) -> View:
    return View(title, "", options, lambda line, given: iter(shown))


@pytest.mark.parametrize(
    ("views", "message"),
    [
        ([], r"^the views are \[\]; give each its own title$"),
        ([view("a", {"b": ONE}), view("a", {"b": ONE})], r"^the views are \['a', 'a'\]; give each its own"),
        ([view("a", {"b": ONE}, size=Option("size", int, REQUIRED))], "^the view a has an option without"),
        ([view("a")], "^the view a shows nothing of "),
        ([view("a", {})], "^the view a shows nothing of "),
        ([view("a", {"b": Page("", "<p>")})], "^the HTML of b leaves <p> open$"),
        (
            [view("a", {"b": ONE}), view("c", {"d": Page("", "<script></script>")})],
            "^the HTML of d has <script>",
        ),
    ],
)
def test_views_that_show_too_little(first: Any, sequences: Any, but: Any, views: Any, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_views_show_every_line(but(first, views=lambda self: views), sequences())


@pytest.mark.parametrize("check", CHECKS)
def test_right_tasks_pass(check: Any, first: Any, sequences: Any, following: Any, texts: Any) -> None:
    check(first, sequences())
    check(following, texts())


def asked(task_class: Any, data: Any) -> list[str]:
    found: list[list[str]] = []
    of_the_defaults(lambda subject: found.append(questions(subject, subject.build())))(task_class, data)
    return found[0]


def test_what_is_asked_is_what_samples_were_made_of(first: Any, sequences: Any, but: Any) -> None:
    rows = [{"a": Text("\n  \n")}, {"a": Text(" 1 2\n\n3 "), "b": Text("9")}, {"a": Text("4")}]
    assert asked(but(first, samples=lambda self, batch: rows), sequences()) == ["1 2", "3"]
    with pytest.raises(
        AssertionError, match=r"^the first column of the samples has no line to predict from$"
    ):
        asked(but(first, samples=lambda self, batch: rows[:1]), sequences())


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "samples gives no row for a batch"),
        (
            [{"a": ONE, "b": "2"}],
            r"row 1 of the samples holds more than names and exhibits: {'a': Text\(text='1'\), 'b': '2'}",
        ),
        ([{3: ONE}], "row 1 of the samples holds more than names and exhibits: "),
        ([{"a": ONE}, {"a": ONE, "b": ONE}], "row 2 of the samples has the columns a, b, the first a"),
        (
            [{"a": ONE, "b": ONE}, {"b": ONE, "a": ONE}],
            "row 2 of the samples has the columns b, a, the first",
        ),
    ],
)
def test_samples_of_another_form(first: Any, sequences: Any, but: Any, rows: Any, message: str) -> None:
    with pytest.raises(AssertionError, match=f"^{message}"):
        check_samples_are_rows_of_one_form(but(first, samples=lambda self, batch: rows), sequences())


@pytest.mark.parametrize(
    ("html", "message"),
    [
        ("<script>alert(1)</script>", "has <script>, which does not stand by itself"),
        ("<style>p {color: red}</style>", "has <style>, which does not stand by itself"),
        ("<p>a<link rel=stylesheet></p>", "has <link>, which does not stand by itself"),
        ("<b><img src='/a.png'></b>", "has <img src='/a.png'>, which does not stand by itself"),
        ("<a href='https://a.org'>a</a>", "has <a href='https://a.org'>, which does not stand by itself"),
        ("<b onclick='f()'>a</b>", r"has <b onclick='f\(\)'>, which does not stand by itself"),
        (
            "<b style='background:url(a.png)'>a</b>",
            r"has <b style='background:url\(a.png\)'>, which does not",
        ),
        ("<p>a<b>b</b>", "leaves <p> open"),
        ("<p>a<b>b</p></b>", "closes <p>, which is not what is open"),
        ("a</p>", "closes <p>, which is not what is open"),
    ],
)
def test_html_that_needs_something_beside_it(
    first: Any, sequences: Any, but: Any, html: str, message: str
) -> None:
    rows = [{"a": ONE, "b": Page("1", "<i>a</i><br>")}, {"a": ONE, "b": Page("1", html)}]
    with pytest.raises(AssertionError, match=f"^the HTML of b {message}"):
        check_samples_are_fragments_of_html(but(first, samples=lambda self, batch: rows), sequences())


def test_html_that_stands_by_itself(first: Any, sequences: Any, but: Any) -> None:
    figure = Drawing("", "<a>", lambda: Figure(figsize=(1, 1)))
    rows = [{"a": ONE, "b": figure, "c": Page("", "<p>1 &lt; 2<br>a</p>")}]
    check_samples_are_fragments_of_html(but(first, samples=lambda self, batch: rows), sequences())


@pytest.mark.parametrize(
    ("figures", "message"),
    [
        ({"a/b": Figure()}, "figure 'a/b' has no name that a file can have"),
        ({"": Figure()}, "figure '' has no name that a file can have"),
        ({"a": "a.png"}, "AttributeError: 'str' object has no attribute 'savefig'"),
    ],
)
def test_figures_that_cannot_be_saved(
    first: Any, sequences: Any, but: Any, figures: Any, message: str
) -> None:
    with pytest.raises(AssertionError, match=f"^{message}"):
        check_figures_can_be_saved(but(first, figures=lambda self, batch: figures), sequences())


def skips_empty(self: Any, lines: Any) -> Any:
    return (line for line in lines if line)


def skips_all(self: Any, lines: Any) -> Any:
    return ()


def one_for_all(self: Any, lines: Any) -> Any:
    return ["all"]


def number(self: Any, lines: Any) -> Any:
    return (3 for _ in lines)


def stumbles(self: Any, lines: Any) -> Any:
    return (line[0] for line in lines)


def speaks(self: Any, lines: Any, *, loud: bool = False) -> Any:
    return (line for line in lines if not loud)


@pytest.mark.parametrize(
    ("predict", "message"),
    [
        (skips_empty, "predict gives nothing for the line ''"),
        (skips_all, r"predict gives nothing for the line '\d"),
        (one_for_all, "predict gives 1 answers for 3 lines, and 3 when each comes by itself"),
        (number, r"predict gives more than text: \[3\]"),
        (stumbles, r"IndexError.*: string index out of range"),
        (speaks, r"with loud=true: predict gives nothing for the line '\d"),
    ],
)
def test_lines_without_an_answer(first: Any, sequences: Any, but: Any, predict: Any, message: str) -> None:
    with pytest.raises(AssertionError, match=f"^{message}"):
        check_predict_answers_every_line(but(first, predict=predict), sequences())


def refuses(self: Any, lines: Any) -> Any:
    for number, line in enumerate(lines, 1):
        if not line:
            raise InputError("the input", "an empty line", number)
        yield line


def twice(self: Any, lines: Any) -> Any:
    return (answer for line in lines for answer in (line, line))


def reads_pairs(self: Any, lines: Any, *, paired: bool = False) -> Any:
    for number, line in enumerate(lines, 1):
        if paired and "|" not in line:
            raise InputError("the input", f"expected a pair, got {line!r}", number)
        yield line


def reads_pairs_alone(self: Any, lines: Any, *, paired: bool = True) -> Any:
    return reads_pairs(self, lines, paired=paired)


def finds_no_pair(self: Any, lines: Any, *, paired: bool = False) -> Any:
    for line in lines:
        if paired and "|" not in line:
            raise InputError("the input", f"expected a pair, got {line!r}")
        yield line


@pytest.mark.parametrize("predict", [reads_pairs_alone, finds_no_pair])
def test_lines_of_another_form_are_neither_the_defaults_nor_refused_without_their_number(
    first: Any, sequences: Any, but: Any, predict: Any
) -> None:
    with pytest.raises(AssertionError, match="expected a pair"):
        check_predict_answers_every_line(but(first, predict=predict), sequences())


@pytest.mark.parametrize("predict", [refuses, twice, reads_pairs])
def test_answers_may_be_several_and_an_empty_line_may_be_refused(
    first: Any, sequences: Any, but: Any, predict: Any
) -> None:
    check_predict_answers_every_line(but(first, predict=predict), sequences())


def reads_all(self: Any, lines: Any) -> Any:
    yield from list(lines)


def reads_many(self: Any, lines: Any) -> Any:
    stream = iter(lines)
    yield from [next(stream) for _ in range(64)]


def test_an_answer_that_waits_for_the_last_line(first: Any, sequences: Any, but: Any) -> None:
    message = "^predict reads more than 1000 lines before it answers the first$"
    with pytest.raises(AssertionError, match=message):
        check_predict_answers_before_the_last_line(but(first, predict=reads_all), sequences())
    check_predict_answers_before_the_last_line(but(first, predict=reads_many), sequences())


def test_samples_are_made_without_a_graph(first: Any, sequences: Any, but: Any) -> None:
    seen = []

    def samples(self: Any, batch: Any) -> Any:
        seen.append(torch.is_grad_enabled())
        return first.samples(self, batch)

    check_samples_are_rows_of_one_form(but(first, samples=samples), sequences())
    assert seen == [False]
