"""Checks of what people read of a task: its answers, its samples, its pictures."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from html.parser import HTMLParser
from io import BytesIO
from itertools import repeat
from typing import Any, final

import torch

from rnnx.core.declarations.validation import validate
from rnnx.core.errors import InputError, RnnxError
from rnnx.core.exhibits.exhibit import Exhibit
from rnnx.core.task import Task
from rnnx.core.testing.check import one_sentence
from rnnx.core.testing.comparison import require
from rnnx.core.testing.settings import settings
from rnnx.core.testing.tasks.check import of_the_defaults
from rnnx.core.testing.tasks.subject import Subject, predict_options

LINES = 2  # that are asked
ENOUGH = 1000  # lines read before the first answer
FOREIGN = {"script", "style", "link", "iframe", "object", "embed", "form", "base", "meta"}
SOURCES = {"src", "srcset", "href", "poster", "action", "background"}
EMPTY = {"br", "hr", "img", "wbr"}
FILE = re.compile(r"\w[\w-]*")


def questions(subject: Subject, task: Task) -> list[str]:
    """Lines that can be answered: what samples were made of, as ``rnnx run`` tells the user.

    Raises:
        AssertionError: there is none.
    """
    firsts = [next(iter(row.values())).text for row in _samples(subject, task)]
    texts = [line.strip() for first in firsts for line in first.splitlines() if line.strip()]
    require(bool(texts), "the first column of the samples has no line to predict from")
    return texts[:LINES]


@of_the_defaults
def check_samples_are_rows_of_one_form(subject: Subject) -> None:
    """Exhibits in the same columns; in the first, a line that ``predict`` answers."""
    found = _samples(subject, subject.build())
    for number, row in enumerate(found, 1):
        whole = all(isinstance(name, str) and isinstance(shown, Exhibit) for name, shown in row.items())
        require(whole, f"row {number} of the samples holds more than names and exhibits: {row}")
        require(
            list(row) == list(found[0]),
            f"row {number} of the samples has the columns {', '.join(row)}, the first {', '.join(found[0])}",
        )


@of_the_defaults
def check_samples_are_fragments_of_html(subject: Subject) -> None:
    """What pages show of them stands by itself: no scripts, no style sheets, nothing from elsewhere."""
    task = subject.build()
    for row in _samples(subject, task)[:LINES]:
        _require_fragments(row)


@of_the_defaults
def check_views_show_every_line(subject: Subject) -> None:
    """What ``rnnx play`` shows of a line, by each view and with its defaults, stands by itself."""
    task = subject.build()
    views = task.views()
    titles = [view.title for view in views]
    require(
        bool(views) and len(set(titles)) == len(titles), f"the views are {titles}; give each its own title"
    )
    for view in views:
        options, problems = validate("", view.title, view.options, {})
        require(not problems, f"the view {view.title} has an option without a default: {problems}")
        for line in questions(subject, task):
            seen = list(view.show(line, options))
            require(bool(seen) and bool(seen[-1]), f"the view {view.title} shows nothing of {line!r}")
            _require_fragments(seen[-1])


@of_the_defaults
def check_figures_can_be_saved(subject: Subject) -> None:
    """Each is a picture of matplotlib's, under a name that a file can have."""
    task, (batch, *_) = subject.build(), subject.batches("test")
    with torch.no_grad():
        figures = task.figures(batch)
    for name, figure in figures.items():
        require(FILE.fullmatch(name) is not None, f"figure {name!r} has no name that a file can have")
        figure.savefig(BytesIO(), dpi=50)


@of_the_defaults
def check_predict_answers_every_line(subject: Subject) -> None:
    """One answer or more for each line, with each setting of its options.

    An empty line may be refused by an error that is meant for the user. A setting that is not the default's
    may read lines of another form, as pairs, if it refuses the first of these by its number.
    """
    task = subject.build()
    options = predict_options(subject.task_class)
    for given, setting in settings("", "predict", options, {}):
        with one_sentence(subject.task_class, setting):
            lines = questions(subject, task)
            try:
                counts = [_count(task, [line], given) for line in lines]
            except InputError as error:
                if setting and error.line == 1:
                    continue
                raise
            with suppress(RnnxError):
                counts.append(_count(task, [""], given))
                lines.append("")
            for line, count in zip(lines, counts, strict=True):
                require(count > 0, f"predict gives nothing for the line {line!r}")
            together = _count(task, lines, given)
            require(
                together == sum(counts),
                f"predict gives {together} answers for {len(lines)} lines, and {sum(counts)} when each comes "
                "by itself",
            )


@of_the_defaults
def check_predict_answers_before_the_last_line(subject: Subject) -> None:
    """Of lines without end, the first is answered."""
    task = subject.build()
    line = questions(subject, task)[0]

    def endless() -> Iterator[str]:
        yield from repeat(line, ENOUGH)
        raise AssertionError(f"predict reads more than {ENOUGH} lines before it answers the first")

    next(iter(task.predict(endless())))


def _require_fragments(exhibits: Mapping[str, Exhibit]) -> None:
    for name, exhibit in exhibits.items():
        if exhibit.html is not None:
            fragment = _Fragment(name)
            fragment.feed(exhibit.html)
            fragment.close()
            left = ", ".join(f"<{tag}>" for tag in fragment.opened)
            require(not left, f"the HTML of {name} leaves {left} open")


@final
class _Fragment(HTMLParser):
    """Reads HTML, and fails where it needs or does more than it may.

    Args:
        name: Of the column.
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name, self.opened = name, list[str]()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        require(tag not in FOREIGN, f"the HTML of {self.name} has <{tag}>, which does not stand by itself")
        for attribute, value in attrs:
            outside = attribute in SOURCES and not (value or "").startswith("data:")
            require(
                not (outside or attribute.startswith("on") or "url(" in (value or "")),
                f"the HTML of {self.name} has <{tag} {attribute}={value!r}>, which does not stand by itself",
            )
        if tag not in EMPTY:
            self.opened.append(tag)

    def handle_endtag(self, tag: str) -> None:
        require(
            self.opened[-1:] == [tag], f"the HTML of {self.name} closes <{tag}>, which is not what is open"
        )
        self.opened.pop()


@torch.no_grad()
def _samples(subject: Subject, task: Task) -> list[dict[str, Exhibit]]:
    found = task.samples(subject.batches("test")[0])
    require(bool(found), "samples gives no row for a batch")
    return found


def _count(task: Task, lines: Iterable[str], options: Mapping[str, Any]) -> int:
    """How many answers there are."""
    answers = list(task.predict(lines, **options))
    require(all(isinstance(answer, str) for answer in answers), f"predict gives more than text: {answers}")
    return len(answers)
