from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rnnx.core.exhibits.exhibit import Exhibit, Text
from rnnx.core.exhibits.view import View


class Louder:
    def shout(self, line: str, *, marks: int = 1) -> Iterator[dict[str, Exhibit]]:
        """Shouts a line,
        as loud as can be.

        In two paragraphs.

        Args:
            line: The line.
            marks: How loud.
        """
        for end in range(marks + 1):
            yield {"shout": Text(line.upper() + "!" * end)}


def test_a_method_says_what_is_seen_what_can_be_set_and_shows_it_again_and_again() -> None:
    view = View.of("shout", Louder().shout, "place")
    assert (view.title, view.reads, view.live) == ("shout", "place", False)
    assert view.about == "Shouts a line, as loud as can be. In two paragraphs."
    assert {name: (option.default, option.doc) for name, option in view.options.items()} == {
        "marks": (1, "How loud.")
    }
    assert [seen["shout"].text for seen in view.show("a", {"marks": 2})] == ["A", "A!", "A!!"]


def test_a_task_without_views_of_its_own_shows_its_answers_with_their_options() -> None:
    def predict(lines: Any, *, times: int = 2) -> Iterator[str]:
        """Answers.

        Args:
            lines: Lines.
            times: How often.
        """
        for line in lines:
            yield from [line[::-1]] * times

    view = View.of_answers(predict)
    assert view.options["times"].doc == "How often."
    assert [seen["answer"].text for seen in view.show("ab", {"times": 3})] == ["ba\nba\nba"]
