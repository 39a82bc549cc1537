"""What a sweep searches, as words: ``cell=gru,lstm``, ``optimizer.lr=loguniform:1e-4..1e-2``."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, TypeAlias, final

from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from rnnx.core.commas import between_commas
from rnnx.core.config import DEFAULTS
from rnnx.core.errors import UsageError
from rnnx.core.registry import suggestion

RANGE = re.compile("(uniform|loguniform|int|logint):(.*)", re.DOTALL)
NUMBER = r"-?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?"
BARE = re.compile(rf"{NUMBER}(?:\.\.{NUMBER}){{1,2}}", re.IGNORECASE)  # a range without its kind
LIKE_A_RANGE = re.compile(r"([a-z_]+):[-+.\de]+\.\.[-+.\de]+")
FORMS = {
    "uniform": "uniform:LOWEST..HIGHEST, or with ..STEP, such as uniform:0..0.5..0.1",
    "loguniform": "loguniform:LOWEST..HIGHEST, such as loguniform:1e-4..1e-2",
    "int": "int:LOWEST..HIGHEST, or with ..STEP, such as int:64..512..64",
    "logint": "logint:LOWEST..HIGHEST, such as logint:16..1024",
}

Distribution: TypeAlias = CategoricalDistribution | FloatDistribution | IntDistribution
Values: TypeAlias = Mapping[str, Any]  # by key: of each distribution, one


@final
@dataclass(frozen=True)
class SearchSpace:
    """The words of a sweep: those that stand, and what is chosen for each trial.

    ``KEY=a,b,c`` is a choice of these, as they are typed. A range is ``KEY=uniform:LOWEST..HIGHEST`` or
    ``loguniform``, ``int``, ``logint``, both ends included; ``..STEP`` after it makes ``uniform`` and ``int``
    go in steps. Anything else stands, a single list, mapping or quoted text too.

    Attributes:
        fixed: The words that stand.
        searched: What the others can be, by key.

    Example:
        >>> space = SearchSpace.parse(["task=lm", "cell=gru,lstm", "net.layers=int:1..3"])
        >>> space.fixed, space.words({"cell": "lstm", "net.layers": 2})
        (('task=lm',), ['task=lm', 'cell=lstm', 'net.layers=2'])
    """

    fixed: tuple[str, ...]
    searched: Mapping[str, Distribution]

    @classmethod
    def parse(cls, words: Sequence[str]) -> SearchSpace:
        """Reads words; of one key the last wins.

        Raises:
            UsageError: all that is wrong with the choices and ranges; what they choose is not looked at.
        """
        searched: dict[str, Distribution] = {}
        fixed, problems = [], []
        for word in words:
            key, equals, text = word.partition("=")
            searched.pop(key, None)
            try:
                distribution = _distribution(text) if equals else None
            except UsageError as error:
                problems.append(f"{key}: {error}")
                continue
            if equals and BARE.fullmatch(text):
                kind = "int" if all(map(str.isdigit, text.split(".."))) else "uniform"
                problems.append(
                    f"{key}: expected the kind of a range before it, got {text!r}; write {key}={kind}:{text}"
                )
                continue
            if distribution is None:
                fixed.append(word)
            else:
                searched[key] = distribution
        if problems:
            raise UsageError(*problems)
        return cls(tuple(fixed), searched)

    def words(self, values: Values) -> list[str]:
        """The words of a trial, as for :func:`rnnx.core.resolution.resolve`.

        Args:
            values: One for each key.
        """
        return [*self.fixed, *(f"{key}={text}" for key, text in self.typed(values).items())]

    def typed(self, values: Values) -> dict[str, str]:
        """The values of a trial as a user types them."""
        return {key: _typed(self.searched[key], value) for key, value in values.items()}

    def corners(self) -> Iterator[Values]:
        """Values by which to check them all: each choice, and both ends of each range.

        All components that can be chosen are combined, as options belong to them; of the other keys one at a
        time leaves its first value.
        """
        ends = {key: _ends(distribution) for key, distribution in self.searched.items()}
        first = {key: values[0] for key, values in ends.items()}
        components = [key for key in ends if key.removesuffix(".name") in DEFAULTS]
        for names in product(*(ends[key] for key in components)):
            base = first | dict(zip(components, names, strict=True))
            yield base
            for key in ends:
                if key not in components:
                    yield from (base | {key: value} for value in ends[key][1:])

    def grid(self) -> list[Values]:
        """Every combination of the values, the first key's changing least often.

        Raises:
            UsageError: a range has no steps.
        """
        endless = [
            f"{key}: expected steps, as in a grid; write {key}=uniform:LOWEST..HIGHEST..STEP, or some values"
            for key, distribution in self.searched.items()
            if isinstance(distribution, FloatDistribution) and distribution.step is None
        ]
        if endless:
            raise UsageError(*endless)
        values = product(*map(_all, self.searched.values()))
        return [dict(zip(self.searched, combination, strict=True)) for combination in values]


def _distribution(text: str) -> Distribution | None:
    """What the text of a value says, if it says more than one."""
    if match := RANGE.fullmatch(text):
        return _range(match[1], match[2])
    if match := LIKE_A_RANGE.fullmatch(text):
        kinds = ", ".join(FORMS)
        raise UsageError(
            f"expected a range of one of the kinds {kinds}, got {text!r}{suggestion(match[1], FORMS)}"
        )
    choices = between_commas(text)
    if len(choices) == 1:
        return None
    twice = sorted({choice for choice in choices if choices.count(choice) > 1})
    if twice:
        raise UsageError(f"expected different values, and {', '.join(map(repr, twice))} is there twice")
    return CategoricalDistribution(choices)


def _range(kind: str, text: str) -> Distribution:
    form = f"expected {FORMS[kind]}, got '{kind}:{text}'"
    number: type[int] | type[float] = int if kind.endswith("int") else float
    try:
        low, high, *steps = map(number, text.split(".."))
    except ValueError:
        noun = "integers" if number is int else "numbers"
        raise UsageError(f"{form}; the ends of the range are {noun}") from None
    step = steps[0] if steps else None
    log = kind.startswith("log")
    if len(steps) > 1 or not all(map(math.isfinite, (low, high, *steps))):
        raise UsageError(form)
    if low >= high:
        raise UsageError(f"{form}; the lowest value comes first")
    if log and (low <= 0 or step is not None):
        raise UsageError(f"{form}; a logarithmic range lies above 0 and has no steps")
    if step is not None and (step <= 0 or abs((high - low) / step - round((high - low) / step)) > 1e-8):
        raise UsageError(f"{form}; whole steps are to lead from the lowest value to the highest")
    if number is int:
        return IntDistribution(int(low), int(high), log=log, step=int(step or 1))
    return FloatDistribution(low, high, log=log, step=step)


def _ends(distribution: Distribution) -> Sequence[Any]:
    if isinstance(distribution, CategoricalDistribution):
        return distribution.choices
    return distribution.low, distribution.high


def _all(distribution: Distribution) -> Sequence[Any]:
    match distribution:
        case CategoricalDistribution():
            return distribution.choices
        case IntDistribution(low=low, high=high, step=step):
            return range(low, high + 1, step)
        case _:
            assert distribution.step is not None
            steps = round((distribution.high - distribution.low) / distribution.step)
            return [
                float(_typed(distribution, distribution.low + n * distribution.step))
                for n in range(steps + 1)
            ]


def _typed(distribution: Distribution, value: Any) -> str:
    """As a user types it: the third step of 0.1 is 0.3, and where there are no steps six digits do."""
    if not isinstance(distribution, FloatDistribution):
        return str(value)
    if distribution.step:
        return f"{value:.12g}"
    return repr(min(max(float(f"{value:.6g}"), distribution.low), distribution.high))
