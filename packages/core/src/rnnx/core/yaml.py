"""YAML 1.2 in plain data: how options are written in files and on the command line."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, cast, final

if TYPE_CHECKING:
    from ruamel.yaml import YAML
    from ruamel.yaml.composer import Composer
    from ruamel.yaml.constructor import SafeConstructor
    from ruamel.yaml.nodes import Node, ScalarNode
    from ruamel.yaml.representer import SafeRepresenter


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
