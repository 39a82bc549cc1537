"""A component that can be built: its kind, its name and its options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rnnx.core.declarations.validation import validate
from rnnx.core.errors import UsageError
from rnnx.core.options import options_of
from rnnx.core.registry import find, split


@dataclass(frozen=True)
class Spec:
    """A component that can be built: plain data.

    Args:
        kind: See :class:`~rnnx.core.registry.Plugin`.
        name: Name of the entry point; of data and baselines ``TASK.NAME``.
        options: Its keyword arguments.

    Example:
        >>> Spec("cell", "gru", {"hidden_size": 8}).to_plain()
        {'name': 'gru', 'hidden_size': 8}
    """

    kind: str
    name: str
    options: dict[str, Any]

    @property
    def short(self) -> str:
        """The name as the user types it, without the task."""
        return split(self.kind, self.name)[1]

    def build(self, *positional: Any) -> Any:
        """Imports the component and constructs it.

        Args:
            *positional: What the program gives; the options are the user's.

        Raises:
            UsageError: its constructor raised a ValueError: the options, or some of them together, cannot be.
            Exception: whatever else its constructor raises, with a note that names the component.
        """
        plugin = find(self.kind, self.name)
        component = plugin.load()
        try:
            return component(*positional, **self.options)
        except ValueError as error:
            raise UsageError(f"{plugin.title}: {error}") from error
        except Exception as error:
            error.add_note(f"raised by the constructor of {plugin.title}")
            raise

    def to_plain(self) -> dict[str, Any]:
        """The name and the options as JSON knows them."""
        return {"name": self.name, **as_plain(self.options)}

    @staticmethod
    def from_plain(kind: str, plain: Mapping[str, Any]) -> Spec:
        """What :meth:`to_plain` gave, checked, and with the defaults of options that are missing.

        Raises:
            UsageError: no such component is installed, or it has no such option.
        """
        values = {key: value for key, value in plain.items() if key != "name"}
        plugin = find(kind, plain["name"])
        options, problems = validate(kind, plugin.label, options_of(plugin), values)
        if problems:
            raise UsageError(*problems.values())
        return Spec(kind, plugin.name, options)


def as_plain(value: Any) -> Any:
    """The value of an option as JSON knows it: tuples as lists, all the way down.

    Example:
        >>> as_plain({"rates": (0.5, (1, 2))})
        {'rates': [0.5, [1, 2]]}
    """
    if isinstance(value, dict):
        return {key: as_plain(inner) for key, inner in value.items()}
    return [as_plain(inner) for inner in value] if isinstance(value, list | tuple) else value
