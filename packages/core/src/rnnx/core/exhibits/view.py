"""What there is to watch of a trained model, when somebody plays with it (``rnnx play``)."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, final

from rnnx.core.exhibits.exhibit import Exhibit, Text
from rnnx.core.options import Options, options_of

Exhibits: TypeAlias = Mapping[str, Exhibit]  # by their headings


@final
@dataclass(frozen=True)
class View:
    """One way to watch a model: a line goes in, exhibits come out.

    Attributes:
        title: What it is called, in a word or two.
        about: What is to be seen, in a sentence or two.
        options: What can be set, each with a default.
        show: What is to be seen of a line under all these options: given once, or again each time there is
            more to be seen, the whole of it.
        reads: What the line is: a text; a picture's path; or what else lies somewhere, such as a video.
        live: Whether a line is shown anew as soon as an option changes.
    """

    title: str
    about: str
    options: Options
    show: Callable[[str, Mapping[str, Any]], Iterator[Exhibits]]
    reads: Literal["text", "picture", "place"] = "text"
    live: bool = False

    @classmethod
    def of(
        cls,
        title: str,
        method: Callable[..., Iterator[Exhibits]],
        reads: Literal["text", "picture", "place"] = "text",
    ) -> View:
        """A view by a method: its docstring tells what is seen, its keyword-only parameters are the options.

        Args:
            title: What it is called.
            method: Takes the line, and the options by name.
            reads: What the line is.

        Example:
            >>> def louder(line, *, marks: int = 1):
            ...     yield {"answer": Text(line.upper() + marks * "!")}
            >>> view = View.of("louder", louder)
            >>> [exhibits["answer"].text for exhibits in view.show("hello", {"marks": 2})]
            ['HELLO!!']
        """
        about, _, _ = inspect.cleandoc(method.__doc__ or "").partition("\n\nArgs:")
        return cls(
            title,
            " ".join(about.split()),
            options_of(method),
            lambda line, options: method(line, **options),
            reads,
        )

    @classmethod
    def of_answers(cls, predict: Callable[..., Iterator[str]]) -> View:
        """What a task answers to a line.

        Args:
            predict: The task's.

        Example:
            >>> view = View.of_answers(lambda lines: (line.upper() for line in lines))
            >>> [exhibits["answer"].text for exhibits in view.show("hello", {})]
            ['HELLO']
        """

        def show(line: str, options: Mapping[str, Any]) -> Iterator[Exhibits]:
            yield {"answer": Text("\n".join(predict([line], **options)))}

        return cls("answer", "What the model answers.", options_of(predict), show)
