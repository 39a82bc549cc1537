"""A small grammar of film reviews, each with its tree and what every phrase of it says: the data ``toy``.

What a phrase says is a score from -2, very negative, to 2, very positive, which follows from those of its two
parts. That is what a model has to learn:

* an intensifier makes it strong (*truly good*), a diminisher weak (*rather brilliant*);
* a negation turns it into its weak opposite, over any distance: *not very good*, *nobody loved the plot*,
  *lacks charm*, *i doubt that the plot is dull*;
* of a contrast the main clause counts: *the cast is superb but the plot is weak*, *although the plot is weak
  the cast is superb*, *despite the weak plot i liked the film*;
* two clauses with *and* say the stronger of both.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final, NamedTuple, final

from rnnx.core.data import Split
from rnnx.core.errors import UsageError
from rnnx.tasks.data.sentiment.corpus import FIVE
from rnnx.tasks.parts.files.brackets import Tree

ADJECTIVES: Final = {
    2: ("brilliant", "superb", "wonderful", "stunning", "masterful"),
    1: ("good", "decent", "clever", "charming", "funny", "touching"),
    0: ("french", "animated", "silent", "modern"),
    -1: ("weak", "dull", "bland", "clumsy", "predictable", "shallow"),
    -2: ("terrible", "awful", "dreadful", "unbearable", "hideous"),
}
INTENSIFIERS: Final = ("very", "truly", "really", "extremely")
DIMINISHERS: Final = ("rather", "somewhat", "fairly", "mildly")
NEGATIONS: Final = ("not", "never", "hardly")
THINGS: Final = (
    "film",
    "plot",
    "story",
    "acting",
    "cast",
    "script",
    "dialogue",
    "ending",
    "music",
    "scenery",
    "opening",
    "camera",
)
DETERMINERS: Final = ("the", "this", "its")
QUALITIES: Final = {1: ("charm", "wit", "depth", "style"), -1: ("flaws", "clichés", "holes")}
FEELINGS: Final = {
    2: ("loved", "adored"),
    1: ("liked", "enjoyed"),
    -1: ("disliked",),
    -2: ("hated", "loathed"),
}
PATIENCE: Final = 20_000  # sentences in vain after which there are no more new ones


@final
class Phrase(NamedTuple):
    """A word, or two phrases.

    Attributes:
        score: What it says, from -2 to 2.
        word: Empty where there are parts.
        parts: The first and the second.
    """

    score: int
    word: str = ""
    parts: tuple[Phrase, ...] = ()

    @property
    def text(self) -> str:
        """Its words, separated by blanks."""
        return self.word or " ".join(part.text for part in self.parts)

    @property
    def tree(self) -> Tree:
        """Its tree, each label the name of the class."""
        tree = Tree([], [], [])
        self._grow(tree)
        return tree

    def _grow(self, tree: Tree) -> int:
        """Adds its nodes to a tree, and gives the number of the last."""
        children = [part._grow(tree) for part in self.parts]
        tree.words.append(self.word)
        tree.labels.append(FIVE[self.score + 2])
        tree.parents.append(-1)
        number = len(tree.words) - 1
        for child in children:
            tree.parents[child] = number
        return number


def word(text: str, score: int = 0) -> Phrase:
    """A word by itself; most say nothing."""
    return Phrase(score, text)


def joined(first: Phrase, second: Phrase, score: int | None = None) -> Phrase:
    """Two phrases, that say what the second says if not told otherwise."""
    return Phrase(second.score if score is None else score, parts=(first, second))


def sign(score: int) -> int:
    """-1, 0 or 1."""
    return (score > 0) - (score < 0)


def opposite(score: int) -> int:
    """What is left of a score under a negation.

    Example:
        >>> [opposite(score) for score in (-2, -1, 0, 1, 2)]
        [1, 1, 0, -1, -1]
    """
    return -sign(score)


@final
class Critic:
    """Thinks of reviews.

    Args:
        rng: Where the chance comes from.

    Example:
        >>> review = Critic(random.Random(4)).review()
        >>> review.text, FIVE[review.score + 2]
        (...)
    """

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng

    def review(self) -> Phrase:
        """A clause or two."""
        kind = self.rng.choice(("one", "but", "although", "despite", "and"))
        last = self.clause()
        if kind == "one" or not last.score:
            return last
        if kind == "and":
            first = self.clause_of(lambda score: sign(score) == sign(last.score))
            return joined(first, joined(word("and"), last), max(first.score, last.score, key=abs))
        if kind == "despite":
            return joined(joined(word("despite"), self.thing_of(last.score), 0), last)
        first = self.clause_of(lambda score: sign(score) == -sign(last.score))
        if kind == "but":
            return joined(first, joined(word("but"), last))
        return joined(joined(word("although"), first, 0), last)

    def clause_of(self, wanted: Callable[[int], bool]) -> Phrase:
        """A clause whose score is wanted."""
        return next(clause for clause in iter(self.clause, None) if wanted(clause.score))

    def clause(self) -> Phrase:
        """What something is or has, what somebody feels, or what somebody thinks of such a clause."""
        kind = self.rng.choice(("is", "is", "is", "has", "feels", "thinks"))
        if kind == "is":
            return joined(self.thing(), joined(word("is"), self.quality()))
        if kind == "has":
            return joined(self.thing(), self.possession())
        if kind == "feels":
            return self.feeling()
        doubts = self.rng.random() < 0.5
        verb = self.rng.choice(("doubt", "deny")) if doubts else self.rng.choice(("think", "believe"))
        inner = joined(self.thing(), joined(word("is"), self.adjective_phrase()))
        that = joined(word("that"), inner)
        return joined(word("i"), joined(word(verb), that, opposite(that.score) if doubts else None))

    def thing(self) -> Phrase:
        """*the plot*."""
        return joined(word(self.rng.choice(DETERMINERS)), word(self.rng.choice(THINGS)))

    def thing_of(self, score: int) -> Phrase:
        """*the weak plot*: something that says the contrary of a score."""
        adjective = self.adjective(-sign(score) * self.rng.choice((1, 2)))
        named = joined(adjective, word(self.rng.choice(THINGS)), adjective.score)
        return joined(word(self.rng.choice(DETERMINERS)), named)

    def quality(self) -> Phrase:
        """*not very good*."""
        phrase = self.adjective_phrase()
        if self.rng.random() < 0.35:
            return joined(word(self.rng.choice(NEGATIONS)), phrase, opposite(phrase.score))
        return phrase

    def adjective_phrase(self) -> Phrase:
        """*good*, *very good*, *rather good*."""
        score = self.rng.choice((-2, -2, -1, -1, -1, 0, 1, 1, 1, 2, 2))
        adjective, chance = self.adjective(score), self.rng.random()
        if score and chance < 0.25:
            return joined(word(self.rng.choice(INTENSIFIERS)), adjective, 2 * sign(score))
        if score and chance < 0.5:
            return joined(word(self.rng.choice(DIMINISHERS)), adjective, sign(score))
        return adjective

    def adjective(self, score: int) -> Phrase:
        """One of that score."""
        return word(self.rng.choice(ADJECTIVES[score]), score)

    def possession(self) -> Phrase:
        """*has charm*, *lacks charm*."""
        score = self.rng.choice((-1, 1))
        quality = word(self.rng.choice(QUALITIES[score]), score)
        if self.rng.random() < 0.5:
            return joined(word("has"), quality)
        return joined(word("lacks"), quality, opposite(score))

    def feeling(self) -> Phrase:
        """*i love the plot*, *nobody loved the plot*."""
        score = self.rng.choice((-2, -1, 1, 2))
        verb = word(self.rng.choice(FEELINGS[score]), score)
        felt = joined(verb, self.thing(), score)
        if self.rng.random() < 0.5:
            return joined(word(self.rng.choice(("i", "critics"))), felt)
        return joined(word(self.rng.choice(("nobody", "few"))), felt, opposite(score))


def reviews(train: int, valid: int, test: int, seed: int) -> dict[Split, list[Phrase]]:
    """Makes the reviews of three splits; none comes twice.

    Args:
        train: Reviews to train on.
        valid: Reviews to validate on.
        test: Reviews to test on.
        seed: What they depend on, beside their number.

    Raises:
        UsageError: the grammar has not that many reviews.
    """
    critic = Critic(random.Random(seed))
    found: dict[str, Phrase] = {}
    vain = 0
    while len(found) < train + valid + test:
        review = critic.review()
        vain = 0 if found.setdefault(review.text, review) is review else vain + 1
        if vain == PATIENCE:
            raise UsageError(
                f"data: the toy grammar cannot fill train={train}, valid={valid}, test={test}; choose some "
                "hundred to some ten thousand"
            )
    made = list(found.values())
    return {
        "train": made[:train],
        "valid": made[train : train + valid],
        "test": made[train + valid :],
    }
