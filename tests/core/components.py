"""Sources of components, as strangers write them: readable as they stand, or only by an import."""

from __future__ import annotations

COMPONENTS = '''
    """Somebody 1999, "A paper"."""

    from __future__ import annotations

    import typing
    import typing as t
    from abc import ABC, abstractmethod
    from typing import Annotated, Literal, Optional, TypeAlias, final

    from annotated_types import Ge, Gt, Le as AtMost

    from base import SIZE, Base, Shape, Share

    Activation = Literal["tanh", "relu"]
    Depth: TypeAlias = "int | None"
    RATE = 0.5


    @final
    class Plain:
        """Does it.

        More of it.

        Args:
            hidden_size: Width of
                the state,
                in units.
            activation (Activation): One of two.
            **others: Not an option.

        Returns:
            activation: Not this.
        """

        def __init__(
            self,
            input_size: int,
            flag: bool,
            *,
            hidden_size: int = 256,
            activation: Activation = "tanh",
            depth: Depth = None,
            rate: float = RATE,
            low: float = -1e-3,
            sizes: tuple[int, ...] = (1, 2),
            pair: "tuple[int, str]" = (1, "a"),
            names: list[str],
            table: dict[str, float] | None = None,
            old: Optional[str] = None,
            both: typing.Union[int, str] = 1,
            form: t.Literal["x", 1, True, None] = None,
            size: int = SIZE,
            shape: Shape = "flat",
            layers: Annotated[int, Ge(1), AtMost(SIZE)] = 1,
            scale: "typing.Annotated[float, Gt(-0.5)] | None" = None,
            shares: tuple[Share, ...] = (),
        ) -> None:
            """Builds.

            Args:
                low: Documented here.
            """


    class Inherited(Base):
        """Child.

        Args:
            width: Of the child.
        """


    class Bare(ABC):
        @abstractmethod
        def act(self) -> None:
            """Acts."""


    class Method:
        def predict(self, lines: list[str], *, beam_size: int = 5, sample: bool = False) -> list[str]:
            """Predicts.

            Args:
                lines: Not an option.
                beam_size: Width of the beam.
            """
            return lines


    class SubMethod(Method):
        pass


    def function(data: object, *, order: int = 5) -> None:
        """Fits.

        Args:
            order: Of the model.
        """
'''
BASE = '''
    from typing import Annotated, Literal, TypeAlias

    import annotated_types
    from annotated_types import Ge, Lt

    SIZE = 7
    Shape = Literal["flat", "round"]
    Share: TypeAlias = Annotated[float, Ge(0), Lt(1)]


    class Root:
        pass


    class Base(Root):
        """Parent.

        Args:
            width: Of the parent.
            shape: How it looks.
        """

        def __init__(self, x, *, width: int = SIZE, shape: Shape = "round", **_):
            pass
'''.replace(", **_", "")  # fmt: skip
COMPUTED = '''
    from dataclasses import dataclass, field
    from functools import partial, wraps
    from typing import Annotated

    import annotated_types as at
    import base

    class Follower(base.Base):
        """Child."""

    @dataclass(kw_only=True)
    class Data:
        """Data.

        Args:
            path: Where.
        """
        path: str
        size: int = 2 ** 3
        many: tuple[int, ...] = field(default=(3,))

    @dataclass(kw_only=True)
    class MoreData(Data):
        """More.

        Args:
            extra: Besides.
        """
        extra: bool = False

    class Computed:
        def __init__(self, *, rate: float = 1 / 4, top: "float | None" = float("inf")) -> None:
            pass

    class Bounded:
        def __init__(self, *, width: Annotated[int, at.Ge(1)] = 1, rate: base.Share = 0.0) -> None:
            pass

    class Reckoned:
        def __init__(self, *, width: Annotated[int, at.Lt(2 ** 3)] = 1) -> None:
            pass

    class Two(Computed, base.Base):
        pass

    def decorate(function):
        @wraps(function)
        def wrapper(*args, **kwargs):
            return function(*args, **kwargs)
        return wrapper

    @decorate
    def decorated(*, size: int = 1):
        pass

    if base:
        class Conditional:
            def __init__(self, *, size: "int" = 1):
                pass
'''
