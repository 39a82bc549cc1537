"""What a module's source says without importing it: an import may take seconds, or fail."""

from __future__ import annotations

import ast
import importlib.util
import sys
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Annotated, Any, final

import annotated_types

BUILTINS = {kind.__name__: kind for kind in (int, float, str, bool, tuple, list, dict)}
TYPING = ("typing", "typing_extensions")
BOUNDS = ("Ge", "Gt", "Le", "Lt")  # of the library annotated_types
TRANSPARENT = {"final", "override", "abstractmethod", "staticmethod", "classmethod"}  # decorators


@final
class Unreadable(Exception):  # noqa: N818  an answer, not a failure
    """The source does not say it in so many words; only an import would."""


def locate(name: str) -> ModuleSpec | None:
    """Finds a module where an import would, without importing its parents; None where there is none.

    Example:
        >>> locate("rnnx.core.errors").name
        'rnnx.core.errors'
        >>> locate("rnnx.core.nothing") is None
        True
    """
    return _located(name, tuple(sys.path))


@lru_cache(maxsize=4096)
def _located(name: str, _path: tuple[str, ...]) -> ModuleSpec | None:
    parts, path = name.split("."), None
    if not all(map(str.isidentifier, parts)):
        return None
    for end in range(1, len(parts) + 1):
        try:
            found = (finder.find_spec(".".join(parts[:end]), path) for finder in sys.meta_path)
            spec = next(filter(None, found), None)
        except KeyError:  # a namespace inside a namespace asks for its parent, which has no code of its own
            return importlib.util.find_spec(name)
        if spec is None or (spec.submodule_search_locations is None and end < len(parts)):
            return None
        path = spec.submodule_search_locations
    return spec


@final
@dataclass(frozen=True)
class Source:
    """The syntax tree of one module.

    Args:
        name: Full name of the module.
        tree: What its file parses to.
        package: Whether the file is an ``__init__.py``.

    Example:
        >>> source = Source.of("rnnx.core.errors")
        >>> source.binding("RnnxError").name
        'RnnxError'
    """

    name: str
    tree: ast.Module
    package: bool

    @staticmethod
    def of(name: str) -> Source:
        """Reads a module.

        Raises:
            Unreadable: the module is not there, or not a file of Python source.
            SyntaxError: the file does not parse.
        """
        spec = locate(name)
        if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
            raise Unreadable(name)
        package = spec.submodule_search_locations is not None
        return _parsed(name, package, spec.origin, Path(spec.origin).stat().st_mtime_ns)

    @cached_property
    def bindings(self) -> dict[str, list[ast.stmt]]:
        """The statements at the top of the module that bind each name, conditional ones included."""
        found: dict[str, list[ast.stmt]] = {}
        for statement in self.tree.body:
            for name in _names(statement):
                found.setdefault(name, []).append(statement)
        return found

    def binding(self, name: str) -> ast.stmt:
        """The only statement that gives a name its meaning.

        Raises:
            Unreadable: there is none, more than one, or one that depends on a condition.
        """
        statements = self.bindings.get(name, [])
        if len(statements) == 1 and "*" not in self.bindings:
            match statements[0]:
                case ast.Import() | ast.ImportFrom() | ast.ClassDef() | ast.FunctionDef() as statement:
                    return statement
                case ast.Assign(targets=[ast.Name(id=target)]) | ast.AnnAssign(target=ast.Name(id=target)):
                    if target == name:
                        return statements[0]
        raise Unreadable(f"{self.name}:{name}")

    def definition(self, name: str) -> tuple[Source, ast.stmt]:
        """Where a name gets its meaning, through any number of ``from ... import``."""
        match self.binding(name):
            case ast.ImportFrom() as statement:
                return Source.of(self.imported(statement)).definition(_original(statement, name))
            case statement:
                return self, statement

    def imported(self, statement: ast.ImportFrom) -> str:
        """The full name of the module that a ``from ... import`` reads."""
        package = self.name if self.package else self.name.rpartition(".")[0]
        return importlib.util.resolve_name("." * statement.level + (statement.module or ""), package)

    def annotation(self, node: ast.expr) -> Any:
        """The type that an annotation means: of builtins, ``typing``, bounds of these, and aliases.

        Raises:
            Unreadable: it is made of anything else.
        """
        match node:
            case ast.Constant(value=str(text)):
                return self.annotation(ast.parse(text, mode="eval").body)
            case ast.Constant(value=value) if value is None or value is ...:
                return value
            case ast.Name(id=name):
                return self._type_named(name)
            case ast.Attribute(value=ast.Name(id=name), attr=attribute):
                return self._type_of_module(name, attribute)
            case ast.BinOp(left=left, op=ast.BitOr(), right=right):
                return self.annotation(left) | self.annotation(right)
            case ast.Subscript(value=value, slice=arguments):
                return self._subscript(self.annotation(value), arguments)
        raise Unreadable(ast.unparse(node))

    def _type_named(self, name: str) -> Any:
        if name in BUILTINS and name not in self.bindings:
            return BUILTINS[name]
        match self.binding(name):
            case ast.ImportFrom(module=module) as statement if module in TYPING:
                return _typing(_original(statement, name))
            case ast.ImportFrom() as statement:
                return Source.of(self.imported(statement))._type_named(_original(statement, name))
            case ast.Assign(value=value) | ast.AnnAssign(value=ast.expr() as value):
                return self.annotation(value)
        raise Unreadable(name)

    def _type_of_module(self, name: str, attribute: str) -> Any:
        match self.binding(name):
            case ast.Import(names=names) if any(_binds(a) == name and a.name in TYPING for a in names):
                return _typing(attribute)
        raise Unreadable(f"{name}.{attribute}")

    def _subscript(self, generic: Any, arguments: ast.expr) -> Any:
        if generic is typing.Literal:
            return generic[_literal(arguments)]
        match arguments:
            case ast.Tuple(elts=[kind, *bounds]) if generic is Annotated:
                return generic[(self.annotation(kind), *map(self._bound, bounds))]
            case ast.Tuple(elts=elements):
                return generic[tuple(self.annotation(element) for element in elements)]
        return generic[self.annotation(arguments)]

    def _bound(self, node: ast.expr) -> Any:
        """A bound of a number, such as ``Ge(1)``."""
        match node:
            case ast.Call(func=ast.Name(id=name), args=[limit], keywords=[]):
                match self.binding(name):
                    case ast.ImportFrom(module="annotated_types") as statement:
                        bound = _original(statement, name)
                        if bound in BOUNDS:
                            return getattr(annotated_types, bound)(self.value(limit))
        raise Unreadable(ast.unparse(node))

    def value(self, node: ast.expr) -> Any:
        """The value of a literal, or of a constant of the module or of one it imports from.

        Raises:
            Unreadable: it has to be computed.
        """
        match node:
            case ast.Name(id=name):
                source, statement = self.definition(name)
                match statement:
                    case ast.Assign(value=value) | ast.AnnAssign(value=ast.expr() as value):
                        return source.value(value)
                raise Unreadable(name)
        return _literal(node)

    def method(
        self, owner: ast.ClassDef, name: str
    ) -> list[tuple[Source, ast.ClassDef, ast.FunctionDef | None]]:
        """The classes to walk through, the given one first, until the one that defines a method.

        Args:
            owner: A class of this module.
            name: The method.

        Returns:
            Each with the definition it has itself; none of them has one where the method is ``object``'s.
        """
        if owner.keywords or any(_decorator(node) != "final" for node in owner.decorator_list):
            raise Unreadable(owner.name)
        own = [node for node in owner.body if name in _names(node)]
        match own:
            case [ast.FunctionDef(decorator_list=decorators) as function]:
                if TRANSPARENT.issuperset(map(_decorator, decorators)):
                    return [(self, owner, function)]
                raise Unreadable(f"{owner.name}.{name}")
            case [_, *_]:
                raise Unreadable(f"{owner.name}.{name}")
        match [base for base in owner.bases if not self._without_code(base)]:
            case []:
                return [(self, owner, None)]
            case [ast.Name(id=base)]:
                source, parent = self.definition(base)
                if isinstance(parent, ast.ClassDef):
                    return [(self, owner, None), *source.method(parent, name)]
        raise Unreadable(f"{owner.name}.{name}")

    def attribute(self, owner: ast.ClassDef, name: str) -> ast.expr | None:
        """What the body of a class assigns to a name; None where the body does not bind it.

        Args:
            owner: A class of this module.
            name: The attribute.

        Raises:
            Unreadable: it is bound twice, under a condition, or by anything but an assignment.

        Example:
            >>> source = Source.of("rnnx.core.errors")
            >>> ast.unparse(source.attribute(source.binding("UsageError"), "exit_code"))
            '2'
        """
        match [node for node in owner.body if name in _names(node)]:
            case []:
                return None
            case [ast.Assign(targets=[ast.Name()], value=value)]:
                return value
            case [ast.AnnAssign(target=ast.Name(), value=value)]:
                return value
        raise Unreadable(f"{owner.name}.{name}")

    def _without_code(self, base: ast.expr) -> bool:
        """Whether a base is ``object``, ``ABC`` or one of ``typing``'s."""
        match base:
            case ast.Subscript(value=value):
                return self._without_code(value)
            case ast.Name(id="object") if "object" not in self.bindings:
                return True
            case ast.Name(id=name):
                match self.binding(name):
                    case ast.ImportFrom(module=module):
                        return module in ("abc", *TYPING)
        return False


def defined(target: str) -> tuple[Source, ast.stmt]:
    """The source of ``module:name``: a class or a function.

    Raises:
        Unreadable: only an import would find it.
    """
    module, _, name = target.partition(":")
    return Source.of(module).definition(name)


def obstacle(target: str) -> str | None:
    """Why importing ``module:name`` must fail, in the interpreter's words, as far as the source tells.

    Returns:
        None where nothing stands in the way, which is no promise: code that runs may always fail.

    Example:
        >>> obstacle("rnnx.core.errors:RnnxError") is None
        True
        >>> obstacle("rnnx.core.errors:Error")
        "AttributeError: module 'rnnx.core.errors' has no attribute 'Error'"
    """
    module, _, name = target.partition(":")
    found = _module_obstacle(module, set())
    if found is None and not _binds_perhaps(module, name.partition(".")[0]):
        return f"AttributeError: module {module!r} has no attribute {name!r}"
    return found


def _module_obstacle(name: str, seen: set[str]) -> str | None:
    """Looks into the module, its parents, and those of its imports that share its topmost package."""
    parts = name.split(".")
    for parent in (".".join(parts[:end]) for end in range(1, len(parts) + 1)):
        if parent in seen:
            continue
        seen.add(parent)
        if parent not in sys.modules and locate(parent) is None:
            return f"ModuleNotFoundError: No module named {parent!r}"
        try:
            source = Source.of(parent)
        except Unreadable:
            continue
        except (SyntaxError, ValueError) as error:
            return f"{type(error).__name__}: {error}"
        for statement in source.tree.body:
            if found := _statement_obstacle(source, statement, seen):
                return found
    return None


def _statement_obstacle(source: Source, statement: ast.stmt, seen: set[str]) -> str | None:
    match statement:
        case ast.Raise(exc=ast.expr() as exception):
            return ast.unparse(exception)
        case ast.Import(names=names):
            found = (_import_obstacle(source, alias.name, seen) for alias in names)
            return next(filter(None, found), None)
        case ast.ImportFrom(names=names):
            module = source.imported(statement)
            if (problem := _import_obstacle(source, module, seen)) or not _kin(source.name, module):
                return problem
            found = (_member_obstacle(module, alias.name, seen) for alias in names)
            return next(filter(None, found), None)
    return None


def _import_obstacle(source: Source, name: str, seen: set[str]) -> str | None:
    if _kin(source.name, name):
        return _module_obstacle(name, seen)
    top = name.partition(".")[0]  # below it a module may exist without a file, like os.path
    if top in sys.modules or locate(top):
        return None
    return f"ModuleNotFoundError: No module named {top!r}"


def _member_obstacle(module: str, name: str, seen: set[str]) -> str | None:
    if locate(f"{module}.{name}"):
        return _module_obstacle(f"{module}.{name}", seen)
    if _binds_perhaps(module, name):
        return None
    return f"ImportError: cannot import name {name!r} from {module!r}"


def _kin(one: str, other: str) -> bool:
    return one.partition(".")[0] == other.partition(".")[0]


def _binds_perhaps(module: str, name: str) -> bool:
    """Whether a module gives a name a meaning, in doubt yes; a namespace gives none."""
    try:
        bindings = Source.of(module).bindings
    except Unreadable:
        spec = locate(module)
        return spec is None or spec.origin is not None
    return not bindings.keys().isdisjoint({name, "*", "__getattr__"})


@cache
def _parsed(name: str, package: bool, path: str, changed: int) -> Source:
    return Source(name, ast.parse(Path(path).read_bytes(), path), package)


def _names(statement: ast.AST) -> Iterator[str]:
    """The names that a statement binds; those bound deep inside a compound statement as well."""
    match statement:
        case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            yield name
        case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
            yield name
        case ast.Import(names=names) | ast.ImportFrom(names=names):
            yield from map(_binds, names)
        case _:
            for child in ast.iter_child_nodes(statement):
                yield from _names(child)


def _binds(alias: ast.alias) -> str:
    return alias.asname or alias.name.partition(".")[0]


def _original(statement: ast.ImportFrom, name: str) -> str:
    return next(alias.name for alias in statement.names if _binds(alias) == name)


def _decorator(node: ast.expr) -> str:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ast.unparse(node)


def _typing(name: str) -> Any:
    try:
        return getattr(typing, name)
    except AttributeError as error:
        raise Unreadable(name) from error


def _literal(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except ValueError as error:
        raise Unreadable(ast.unparse(node)) from error
