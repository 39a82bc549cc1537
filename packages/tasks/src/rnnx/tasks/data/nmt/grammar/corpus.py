"""Three splits of what a speaker says, with combinations of words that are not trained on."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final

from rnnx.core.data import Split
from rnnx.core.errors import UsageError
from rnnx.tasks.data.nmt.grammar.lexicon import ADJECTIVES, NOUNS, VERBS, Pair
from rnnx.tasks.data.nmt.grammar.phrases import Combination, Said
from rnnx.tasks.data.nmt.grammar.speaker import Speaker

NOVEL: Final = 0.6  # the share of valid and test that holds a combination of words never seen in training
LENGTHS: Final = range(3, 17)  # words of a Spanish sentence
PATIENCE: Final = 20_000  # draws in vain after which there are no more sentences of the wanted sort


def held_out(rng: random.Random) -> set[Combination]:
    """The combinations kept from training: of each adjective's nouns and each verb's objects, one in five."""
    partners = {adjective.spanish: adjective.kinds for adjective in ADJECTIVES}
    partners |= {verb.spanish: verb.objects for verb in VERBS if verb.objects}
    held: set[Combination] = set()
    for word, kinds in partners.items():
        nouns = [noun.spanish for kind in kinds.split() for noun in NOUNS[kind]]
        held.update((word, noun) for noun in rng.sample(nouns, len(nouns) // 5 or 1))
    return held


def corpus(train: int, valid: int, test: int, seed: int) -> dict[Split, list[Pair]]:
    """Makes the three splits: pairs of a Spanish and an English sentence, words separated by blanks.

    No sentence comes twice. Some combinations of an adjective or a verb with a noun never occur in training;
    six in ten sentences of valid and test hold one of them. Every word of valid and test occurs in training.

    Args:
        train: Sentences to train on.
        valid: Sentences to validate on.
        test: Sentences to test on.
        seed: What the sentences depend on, beside their number.

    Raises:
        UsageError: The grammar has not that many sentences, or too few of the words that training knows.

    Example:
        >>> splits = corpus(train=100, valid=5, test=10, seed=1)
        >>> {split: len(pairs) for split, pairs in splits.items()}
        {'train': 100, 'valid': 5, 'test': 10}
    """
    rng = random.Random(seed)
    held, speaker = held_out(rng), Speaker(rng)
    seen: set[str] = set()

    def familiar(said: Said) -> bool:
        return held.isdisjoint(said.combinations)

    def known(said: Said) -> bool:
        return vocabulary.issuperset(said.spanish.split() + said.english.split())

    def draw(count: int, wanted: Callable[[Said], bool]) -> list[Pair]:
        pairs: list[Pair] = []
        vain = 0
        while len(pairs) < count:
            said = speaker.sentence()
            if said.spanish not in seen and len(said.spanish.split()) in LENGTHS and wanted(said):
                seen.add(said.spanish)
                pairs.append((said.spanish, said.english))
                vain = 0
            elif (vain := vain + 1) == PATIENCE:
                sizes = f"train={train}, valid={valid}, test={test}"
                raise UsageError(
                    f"data: the toy grammar cannot fill {sizes}; choose some hundred to some ten thousand"
                )
        return pairs

    def draw_unseen(count: int) -> list[Pair]:
        novel = round(NOVEL * count)
        pairs = draw(novel, lambda said: known(said) and not familiar(said))
        pairs += draw(count - novel, lambda said: known(said) and familiar(said))
        rng.shuffle(pairs)
        return pairs

    training = draw(train, familiar)
    vocabulary = {word for pair in training for text in pair for word in text.split()}
    return {"train": training, "valid": draw_unseen(valid), "test": draw_unseen(test)}
