"""Values checked against the options they are for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, final

from rnnx.core.declarations.kinds import shown
from rnnx.core.options import Options
from rnnx.core.registry import suggestion
from rnnx.core.yaml import yaml

if TYPE_CHECKING:
    from pydantic import BaseModel

LISTED: Final = 10  # options in one sentence


@final
@dataclass(frozen=True)
class Word:
    """A value from the command line, whose type only its option knows.

    Args:
        text: As typed.

    Example:
        >>> [Word(text).value for text in ("3e-4", "[1, 2]", "no", "a: b", "'1'", "null")]
        [0.0003, [1, 2], 'no', 'a: b', '1', None]
    """

    text: str

    @cached_property
    def value(self) -> Any:
        """The scalar, bracketed list or mapping that YAML 1.2 reads; the text where it reads none."""
        from ruamel.yaml.error import YAMLError

        try:
            value = yaml().load(self.text)
        except (YAMLError, ValueError, RecursionError):
            return self.text
        if self.text.startswith(("[", "{", '"', "'")):
            return value
        return self.text if "#" in self.text or isinstance(value, (str, list, dict)) else value


def schema(options: Options, title: str) -> type[BaseModel]:
    """A strict pydantic model of the options; its JSON Schema is what an editor needs.

    Args:
        options: See :func:`rnnx.core.options.options_of`.
        title: Name of the model.

    Example:
        >>> from rnnx.core.options import Option
        >>> model = schema({"size": Option("size", int, 4, "Width.")}, "gru")
        >>> model.model_json_schema()["properties"]["size"]["description"]
        'Width.'
    """
    from pydantic import ConfigDict, Field, create_model

    fields: dict[str, Any] = {  # under an alias, as a model's own attributes are not free to be names
        f"option_{index}": (option.type, Field(option.default, alias=option.name, description=option.doc))
        for index, option in enumerate(options.values())
    }
    return create_model(title, __config__=ConfigDict(strict=True, extra="forbid"), **fields)


def validate(
    section: str, label: str, options: Options, values: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, str]]:
    """Checks values against the options they are for.

    Args:
        section: What stands before the dot where the user types an option; may be empty.
        label: Whose options they are, as a sentence names it.
        options: See :func:`rnnx.core.options.options_of`.
        values: Plain data or :class:`Word`, by option.

    Returns:
        Every option with its value or default, in the order of the signature, if there is no problem; and a
        sentence for each option with one.

    Example:
        >>> from rnnx.core.options import Option
        >>> options = {"hidden_size": Option("hidden_size", int, 256), "rate": Option("rate", float, 0.1)}
        >>> validate("cell", "cell 'gru'", options, {"rate": Word("1")})
        ({'hidden_size': 256, 'rate': 1.0}, {})
        >>> validate("cell", "cell 'gru'", options, {"hidden_size": Word("1e2")})[0]["hidden_size"]
        100
        >>> validate("cell", "cell 'gru'", options, {"hiden_size": Word("3")})[1]["hiden_size"]
        "cell.hiden_size: no such option of cell 'gru'; did you mean 'hidden_size'?"
    """
    model = schema(options, label)
    known = {name: value for name, value in values.items() if name in options}
    plain = {name: _value(value) for name, value in known.items()}
    for otherwise in (_whole, _text):
        plain |= {name: otherwise(known[name]) for name in _wrong(model, plain) & known.keys()}
    wrong = _wrong(model, plain)
    problems = {
        name: _problem(section, label, options, name, value)
        for name, value in values.items()
        if name not in options or name in wrong
    } | {
        name: f"{_key(section, name)}: option of {label} is required"
        for name, option in options.items()
        if option.required and name not in values
    }
    if problems:
        return {}, problems
    valid = model.model_validate_json(json.dumps(plain))
    return {name: getattr(valid, field) for name, field in zip(options, model.model_fields, strict=True)}, {}


def _value(value: Any) -> Any:
    return value.value if isinstance(value, Word) else value


def _whole(given: Any) -> Any:
    """A number without a fraction, as 1e2, as an integer."""
    value = _value(given)
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _text(given: Any) -> Any:
    """A word as it was typed."""
    return given.text if isinstance(given, Word) else given


def _wrong(model: type[BaseModel], values: Mapping[str, Any]) -> set[str]:
    """The options whose value does not fit."""
    from pydantic import ValidationError

    try:
        model.model_validate_json(json.dumps(values))
    except ValidationError as error:
        return {str(problem["loc"][0]) for problem in error.errors()}
    return set()


def _key(section: str, name: str) -> str:
    return f"{section}.{name}" if section else name


def _listed(options: Options) -> str:
    """The options there are, as the end of a sentence."""
    names = [*options][:LISTED]
    more = f" and {len(options) - LISTED} more" if len(options) > LISTED else ""
    return f" (options: {', '.join(names) or 'none'}{more})"


def _problem(section: str, label: str, options: Options, name: str, given: Any) -> str:
    key, value = _key(section, name), _value(given)
    if name not in options:
        return f"{key}: no such option of {label}{suggestion(name, options) or _listed(options)}"
    option = options[name]
    if given == Word(""):
        return f"{key}: expected {option.expected}, got nothing"
    if not option.expected.startswith("one of "):
        return f"{key}: expected {option.expected}, got {shown(value)}"
    return f"{key}: {shown(value)} is not {option.expected}{suggestion(str(value), option.choices)}"
