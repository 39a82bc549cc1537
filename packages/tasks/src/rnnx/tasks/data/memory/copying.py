"""The copying problem of Hochreiter & Schmidhuber 1997, in the form of Arjovsky, Shah & Bengio 2016."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, final

import torch

from rnnx.core.batch import Batch
from rnnx.core.bounds import Positive
from rnnx.core.data import Meta
from rnnx.tasks.data.memory.draws import whole
from rnnx.tasks.data.memory.generated import Generated

SYMBOLS: Final = 8
BLANK, DELIMITER = SYMBOLS, SYMBOLS + 1


@final
@dataclass(kw_only=True, eq=False)
class Copying(Generated):
    """Symbols to be remembered, then blanks, then a delimiter, which asks for the symbols in order.

    There are 8 symbols, ``1`` to ``8``; the tokens are these, the blank and the delimiter. A sequence is
    ``length`` symbols, ``lag - 1`` blanks, the delimiter, and ``length`` blanks, during which the symbols are
    to be said. Who remembers nothing is right about 12.5% of them, with a cross-entropy of ln 8 = 2.079.

    Deviation: the papers also ask for a blank at each step before, which takes no memory, and so divide the
    cross-entropy by ``lag + 2 length`` steps instead of ``length``.

    Args:
        length: How many symbols.
        lag: Steps from the last symbol to the delimiter; each symbol is to be said ``length + lag`` steps
            after it was read.
    """

    length: Positive = 10
    lag: Positive = 100

    @property
    def meta(self) -> Meta:
        """The symbols' names, how many tokens there are, how many are asked for, and what follows them."""
        return {
            "kind": "symbols",
            "symbols": [str(number) for number in range(1, SYMBOLS + 1)],
            "tokens": SYMBOLS + 2,
            "answers": self.length,
            "after": [*[BLANK] * (self.lag - 1), DELIMITER, *[BLANK] * self.length],
        }

    def draw(self, count: int, generator: torch.Generator) -> Batch:
        symbols = torch.randint(SYMBOLS, (count, self.length), generator=generator)
        after = torch.tensor(self.meta["after"]).expand(count, -1)
        return whole(torch.cat((symbols, after), 1), symbols)
