"""Options: the keyword-only parameters of a component. The constructor is the command line."""

from __future__ import annotations

import ast
import inspect
import json
import re
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeAlias, cast, final

from annotated_types import Ge, Gt, Le, Lt

from rnnx.core.errors import RunError
from rnnx.core.registry import Plugin, load, suggestion
from rnnx.core.source import Source, Unreadable, defined

if TYPE_CHECKING:
    from pydantic import BaseModel
    from ruamel.yaml import YAML
    from ruamel.yaml.composer import Composer
    from ruamel.yaml.constructor import SafeConstructor
    from ruamel.yaml.nodes import Node, ScalarNode
    from ruamel.yaml.representer import SafeRepresenter

REQUIRED: Final = ...  # the default of an option that has none
NAMES = {  # of the types an option may have: one of them, and several
    int: ("an integer", "integers"),
    float: ("a number", "numbers"),
    str: ("text", "texts"),
    bool: ("true or false", "booleans"),
    types.NoneType: ("null", "nulls"),
    tuple: ("a list", "lists"),
    list: ("a list", "lists"),
    dict: ("a mapping", "mappings"),
}


@final
@dataclass(frozen=True)
class Option:
    """One keyword-only parameter.

    Args:
        name: Its name.
        type: Its type, made of ``int float str bool tuple list dict``, ``Literal``, None and unions; a number
            may have bounds, see :mod:`rnnx.core.bounds`.
        default: Its default, or ``REQUIRED``.
        doc: What the docstring says of it, on one line.

    Example:
        >>> Option("reset", typing.Literal["before", "after"] | None, None).expected
        'one of before, after, null'
        >>> Option("sizes", tuple[int, ...], ()).expected
        'a list of integers'
        >>> Option("layers", Annotated[int, Ge(1)], 1).expected
        'an integer of at least 1'
    """

    name: str
    type: Any
    default: Any = REQUIRED
    doc: str = ""

    @property
    def required(self) -> bool:
        """Whether the user has to give it."""
        return self.default is REQUIRED

    @property
    def expected(self) -> str:
        """What a value of it looks like, in words."""
        if self.choices and bool not in _members(self.type):
            return f"one of {', '.join(self.choices)}"
        return _described(self.type)

    @property
    def choices(self) -> tuple[str, ...]:
        """The values as typed, where they can be counted; else empty."""
        counted = [_counted(kind) for kind in _members(self.type)]
        return sum(counted, ()) if all(counted) else ()


Options: TypeAlias = dict[str, Option]


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


def yaml() -> YAML:
    """A reader and writer of YAML 1.2 in plain data: a date is text, and keys keep their order.

    It reads no aliases, by which a few lines can stand for more data than there is memory.
    """
    from ruamel.yaml import YAML

    made: Any = YAML(typ="safe", pure=True)
    made.Composer, made.Constructor, made.Representer = _dialect()
    made.default_flow_style = False
    made.allow_unicode = True
    made.width = 2**16
    made.sort_base_mapping_type_on_output = False
    return cast("YAML", made)


def options_of(target: Plugin | str | Callable[..., Any]) -> Options:
    """The options of a component, a function or a method, in the order of its signature.

    Read from the source if the source says it plainly, else by importing it.

    Args:
        target: A plugin, ``module:function``, ``module:Class`` or ``module:Class.method``; or a class, a
            function or a method.

    Raises:
        RunError: the signature is none that can be a command line, or cannot be imported.
    """
    try:
        signature = _written(_path(target))
    except _UNREADABLE:
        signature = _imported(_load(target), _title(target))
    documented: dict[str, str] = {}
    for docstring in signature.docstrings:
        documented |= arguments(docstring)
    if signature.variadic:
        raise RunError(
            f"{_title(target)}: takes **{signature.variadic}; write each option as a keyword-only parameter"
        )
    return {
        name: _checked(target, Option(name, kind, default, documented.get(name, "")))
        for name, kind, default in signature.parameters
    }


def summary(target: Plugin | str) -> str:
    """The first line of the docstring; empty where only an import would tell. Imports nothing.

    Example:
        >>> summary("rnnx.core.errors:UsageError")
        'Something the user typed does not exist or has the wrong form; exit code 2.'
    """
    try:
        return _docstring(_path(target)).partition("\n")[0]
    except _UNREADABLE:
        return ""


def documentation(target: Plugin | str | type) -> str:
    """The whole docstring, without its indentation.

    Raises:
        RunError: only an import would tell, and it fails.

    Example:
        >>> documentation("rnnx.core.errors:RunError")
        'Anything else that failed while running, said in one sentence; exit code 1.'
    """
    try:
        return _docstring(_path(target))
    except _UNREADABLE:
        return inspect.cleandoc(_load(target).__doc__ or "")


def paper(target: Plugin | str) -> str:
    """The first line of the module's docstring: of a cell, its paper. Empty where only an import would tell.

    Example:
        >>> paper("rnnx.core.errors:RunError")
        'What is told to the user without a traceback, and the exit code that goes with it.'
    """
    module, _, name = _path(target).partition(":")
    try:
        source, _statement = defined(f"{module}:{name.partition('.')[0]}")
    except _UNREADABLE:
        return ""
    return (ast.get_docstring(source.tree) or "").partition("\n")[0]


def arguments(docstring: str) -> dict[str, str]:
    r"""What the section ``Args:`` of a Google docstring says of each parameter, on one line each.

    Example:
        >>> arguments("Adds.\n\nArgs:\n    x: One\n        number.\n    y (int): Another.")
        {'x': 'One number.', 'y': 'Another.'}
    """
    found: dict[str, list[str]] = {}
    inside, depth = False, 0
    for line in inspect.cleandoc(docstring).splitlines():
        indent = len(line) - len(line.lstrip())
        if indent == 0 and line:
            inside, depth = line in ("Args:", "Arguments:"), 0
        elif inside and line:
            depth = depth or indent
            entry = re.match(r"\**(\w+)(?: \(.*?\))?:(?: +(.*))?$", line.strip()) if indent == depth else None
            if entry:
                found[entry[1]] = [entry[2] or ""]
            elif found:
                found[next(reversed(found))].append(line.strip())
    return {name: " ".join(filter(None, lines)) for name, lines in found.items()}


def schema(options: Options, title: str) -> type[BaseModel]:
    """A strict pydantic model of the options; its JSON Schema is what an editor needs.

    Args:
        options: See :func:`options_of`.
        title: Name of the model.

    Example:
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
        options: See :func:`options_of`.
        values: Plain data or :class:`Word`, by option.

    Returns:
        Every option with its value or default, in the order of the signature, if there is no problem; and a
        sentence for each option with one.

    Example:
        >>> options = {"hidden_size": Option("hidden_size", int, 256), "rate": Option("rate", float, 0.1)}
        >>> validate("cell", "cell 'gru'", options, {"rate": Word("1")})
        ({'hidden_size': 256, 'rate': 1.0}, {})
        >>> validate("cell", "cell 'gru'", options, {"hiden_size": Word("3")})[1]["hiden_size"]
        "cell.hiden_size: no such option of cell 'gru'; did you mean 'hidden_size'?"
    """
    model = schema(options, label)
    known = {name: value for name, value in values.items() if name in options}
    plain = {name: _value(value) for name, value in known.items()}
    wrong = _wrong(model, plain)
    texts = {name: word.text for name, word in known.items() if name in wrong and isinstance(word, Word)}
    wrong &= _wrong(model, plain | texts)
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
    valid = model.model_validate_json(json.dumps(plain | texts))
    return {name: getattr(valid, field) for name, field in zip(options, model.model_fields, strict=True)}, {}


@final
@dataclass(frozen=True)
class _Signature:
    """Keyword-only parameters (name, type, default), the name of ``**kwargs``, and what documents them."""

    parameters: list[tuple[str, Any, Any]]
    variadic: str | None
    docstrings: list[str]


_UNREADABLE = (
    Unreadable,
    SyntaxError,
    TypeError,
    ValueError,
    RecursionError,
)  # an import knows better, or says why


def _path(target: Plugin | str | Callable[..., Any]) -> str:
    match target:
        case Plugin():
            return target.target
        case str():
            return target
    raise Unreadable(_title(target))  # it is there already, and may be in no file


def _title(target: Plugin | str | Callable[..., Any]) -> str:
    match target:
        case Plugin():
            return f"{target.title} of {target.origin}"
        case str():
            return target
    return target.__qualname__


def _load(target: Plugin | str | Callable[..., Any]) -> Any:
    return load(_path(target), _title(target)) if isinstance(target, Plugin | str) else target


def _walk(target: str) -> list[tuple[Source, ast.ClassDef | ast.FunctionDef, ast.FunctionDef | None]]:
    """The classes down to the one that defines the constructor or method, or the function alone."""
    module, _, path = target.partition(":")
    name, _, method = path.partition(".")
    match defined(f"{module}:{name}"):
        case source, ast.ClassDef() as owner:
            return list(source.method(owner, method or "__init__"))
        case source, ast.FunctionDef(decorator_list=[]) as function if not method:
            return [(source, function, function)]
    raise Unreadable(target)


def _written(target: str) -> _Signature:
    """The signature as the source has it."""
    walk = _walk(target)
    source, _, function = walk[-1]
    owners = [] if "." in target.partition(":")[2] else [owner for _, owner, _ in reversed(walk)]
    if function is None:
        if not owners:
            raise Unreadable(target)
        return _Signature([], None, [])
    documented = [ast.get_docstring(node) or "" for node in (*owners, function)]
    written = zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True)
    parameters = [
        (
            argument.arg,
            source.annotation(argument.annotation) if argument.annotation else inspect.Parameter.empty,
            REQUIRED if default is None else source.value(default),
        )
        for argument, default in written
    ]
    variadic = function.args.kwarg
    return _Signature(parameters, variadic.arg if variadic else None, documented)


def _imported(component: Any, title: str) -> _Signature:
    """The signature as the interpreter has it."""
    owners: list[type] = []
    function = component
    if isinstance(component, type):
        line = component.__mro__
        end = next(index for index, owner in enumerate(line) if "__init__" in vars(owner))
        owners, function = list(reversed(line)), vars(line[end])["__init__"]
        if line[end] is object:
            return _Signature([], None, [])
    parameters = inspect.signature(function).parameters.values()
    variadic = [parameter.name for parameter in parameters if parameter.kind is parameter.VAR_KEYWORD]
    return _Signature(
        [
            (p.name, _evaluated(p, function, title), REQUIRED if p.default is p.empty else p.default)
            for p in parameters
            if p.kind is p.KEYWORD_ONLY
        ],
        variadic[0] if variadic else None,
        [vars(owner).get("__doc__") or "" for owner in owners] + [function.__doc__ or ""],
    )


def _evaluated(parameter: inspect.Parameter, function: Callable[..., Any], title: str) -> Any:
    """The type of a parameter, whose annotation may be a string."""
    if not isinstance(parameter.annotation, str):
        return parameter.annotation
    try:
        return eval(parameter.annotation, inspect.unwrap(function).__globals__)
    except Exception as error:
        raise RunError(
            f"{title}: the type {parameter.annotation} of option {parameter.name!r} cannot be read: "
            f"{type(error).__name__}: {error}"
        ) from error


def _checked(target: Plugin | str | Callable[..., Any], option: Option) -> Option:
    """An option, if YAML can hold its values and a file can name it."""
    if option.type is inspect.Parameter.empty:
        raise RunError(f"{_title(target)}: option {option.name!r} has no type")
    if not _is_plain(option.type):
        plain = "int, float (or these with Ge, Gt, Le, Lt), str, bool, None, Literal, tuple, list or dict"
        raise RunError(
            f"{_title(target)}: the type of option {option.name!r} is {option.type}, not made of {plain}"
        )
    if option.name == "name" and isinstance(target, Plugin):
        raise RunError(
            f"{_title(target)}: no option may be called 'name', which is the key of the component's own"
        )
    return option


def _is_plain(kind: Any) -> bool:
    arguments = [argument for argument in typing.get_args(kind) if argument is not ...]
    match typing.get_origin(kind):
        case None:
            return kind is None or kind in NAMES
        case typing.Literal:
            return True
        case typing.Annotated:
            number, *bounds = arguments
            return number in (int, float) and all(isinstance(bound, Ge | Gt | Le | Lt) for bound in bounds)
        case typing.Union | types.UnionType:
            return all(map(_is_plain, arguments))
        case origin if origin is dict:
            return arguments[0] is str and _is_plain(arguments[1])
        case origin:
            return origin in NAMES and all(map(_is_plain, arguments))


def _docstring(target: str) -> str:
    """The docstring of a class, function or method as the source has it."""
    walk = _walk(target) if "." in target.partition(":")[2] else [(*defined(target), None)]
    _, owner, method = walk[-1]
    match method or owner:
        case ast.ClassDef() | ast.FunctionDef() as node:
            return ast.get_docstring(node) or ""
    raise Unreadable(target)


def _members(kind: Any) -> tuple[Any, ...]:
    """The alternatives of a union; else the type alone."""
    return typing.get_args(kind) if typing.get_origin(kind) in (typing.Union, types.UnionType) else (kind,)


def _counted(kind: Any) -> tuple[str, ...]:
    """The values of a type as typed, if they can be counted."""
    if typing.get_origin(kind) is typing.Literal:
        return tuple(
            value if isinstance(value, str) else json.dumps(value) for value in typing.get_args(kind)
        )
    return {bool: ("true", "false"), types.NoneType: ("null",)}.get(kind, ())


def _described(kind: Any) -> str:
    """A type in words."""
    members, arguments = _members(kind), typing.get_args(kind)
    origin = typing.get_origin(kind) or kind
    if len(members) > 1:
        return " or ".join(map(_described, members))
    if origin is typing.Literal:
        return " or ".join(map(_shown, arguments))
    if origin not in (tuple, list) or not arguments:
        return _noun(kind, several=False)
    if origin is list or arguments[-1] is ...:
        return f"a list of {_noun(arguments[0], several=True)}"
    if len(set(arguments)) == 1:
        return f"a list of {len(arguments)} {_noun(arguments[0], several=True)}"
    return f"a list of {len(arguments)}: {', '.join(map(_described, arguments))}"


def _noun(kind: Any, several: bool) -> str:
    """What one value of a type is called, or several, and the bounds of it."""
    number, *bounds = typing.get_args(kind) if typing.get_origin(kind) is Annotated else (kind,)
    name = NAMES.get(typing.get_origin(number) or number, ("a value", "values"))[several]
    return f"{name} {_bounded(bounds)}" if bounds else name


def _bounded(bounds: Sequence[Ge | Gt | Le | Lt]) -> str:
    """Bounds in words, as they follow a number."""
    match bounds:
        case [Ge(low), Le(high)]:
            return f"from {low} to {high}"
    limits = " and ".join(map(_limit, bounds))
    return f"of {limits}" if limits.startswith("at") else limits


def _limit(bound: Ge | Gt | Le | Lt) -> str:
    match bound:
        case Ge(low):
            return f"at least {low}"
        case Gt(low):
            return f"above {low}"
        case Le(high):
            return f"at most {high}"
        case Lt(high):
            return f"below {high}"


def _shown(value: Any) -> str:
    """A value as a sentence quotes it."""
    return repr(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _value(value: Any) -> Any:
    return value.value if isinstance(value, Word) else value


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


def _problem(section: str, label: str, options: Options, name: str, given: Any) -> str:
    key, value = _key(section, name), _value(given)
    if name not in options:
        return f"{key}: no such option of {label}{suggestion(name, options)}"
    option = options[name]
    if given == Word(""):
        return f"{key}: expected {option.expected}, got nothing"
    if not option.expected.startswith("one of "):
        return f"{key}: expected {option.expected}, got {_shown(value)}"
    return f"{key}: {_shown(value)} is not {option.expected}{suggestion(str(value), option.choices)}"


@cache
def _dialect() -> tuple[type[Composer], type[SafeConstructor], type[SafeRepresenter]]:
    """ruamel's, without aliases, and without YAML 1.1: its dates, its ``=``; its line breaks are escaped."""
    from ruamel.yaml.composer import Composer as AnyComposer
    from ruamel.yaml.composer import ComposerError
    from ruamel.yaml.constructor import SafeConstructor
    from ruamel.yaml.events import AliasEvent
    from ruamel.yaml.representer import SafeRepresenter

    @final
    class Composer(AnyComposer):
        def compose_node(self, parent: Node | None, index: Any) -> Node | None:
            if self.parser.check_event(AliasEvent):
                alias = self.parser.peek_event()
                raise ComposerError(
                    None, None, f"aliases such as *{alias.anchor} are not read; repeat it", alias.start_mark
                )
            return super().compose_node(parent, index)

    @final
    class Constructor(SafeConstructor):
        pass

    @final
    class Representer(SafeRepresenter):
        pass

    def text(representer: SafeRepresenter, value: str) -> ScalarNode:
        style = '"' if set(value) & set("\x85\u2028\u2029") or value.startswith("?") else None
        return representer.represent_scalar("tag:yaml.org,2002:str", value, style=style)

    for tag in ("timestamp", "value"):
        Constructor.add_constructor(f"tag:yaml.org,2002:{tag}", SafeConstructor.construct_yaml_str)
    Representer.add_representer(str, text)
    return Composer, Constructor, Representer
