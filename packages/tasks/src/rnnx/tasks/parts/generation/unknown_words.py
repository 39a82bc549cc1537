"""Unknown words in what a decoder wrote, replaced by words of the source."""

from __future__ import annotations

from collections.abc import Sequence

from rnnx.core.errors import UsageError
from rnnx.tasks.parts.generation.search import Hypothesis
from rnnx.tasks.parts.texts.vocabulary import Vocabulary


def with_source_words(hypothesis: Hypothesis, vocabulary: Vocabulary, words: Sequence[str]) -> str:
    """The text of a hypothesis, in place of each ``<unk>`` the word of the source that it looked at most.

    So names and numbers that no vocabulary holds are copied (Luong et al. 2015, Addressing the Rare Word
    Problem in Neural Machine Translation; by attention in Jean et al. 2015). Both also translate the word
    with a dictionary, which there is not here.

    Args:
        hypothesis: With attention, if it has any tokens; its first places are the words.
        vocabulary: What its tokens are, words.
        words: Of the source, as they are to be copied, at least one.

    Example:
        >>> import torch
        >>> target = Vocabulary.train(["mister left"], "word")
        >>> tokens = [*target.encode(["mister"])[0], target.unk]
        >>> looks = torch.tensor([[0.8, 0.1, 0.1], [0.1, 0.3, 0.6]])  # the last place is the end
        >>> with_source_words(Hypothesis(tokens, 0.0, 0.0, looks), target, ["señor", "Ibáñez"])
        'mister Ibáñez'
    """
    if hypothesis.attention is None or not hypothesis.tokens:
        return vocabulary.decode(hypothesis.tokens)
    looked = hypothesis.attention[:, : len(words)].argmax(1).tolist()
    pairs = zip(hypothesis.tokens, looked, strict=True)
    return " ".join(words[at] if n == vocabulary.unk else vocabulary.tokens[n] for n, at in pairs)


def refuse_unaligned(attends: bool, vocabulary: Vocabulary) -> None:
    """Refuses to replace unknown words that are not known to belong to words of the source.

    Args:
        attends: Whether the decoder has attention.
        vocabulary: What its tokens are.

    Raises:
        UsageError: it has none, or its tokens are no words.
    """
    if not attends:
        raise UsageError(
            "replace_unknown: needs attention, and the model was trained with task.attention=none; leave it "
            "out"
        )
    if vocabulary.level != "word":
        raise UsageError(
            "replace_unknown: is for words, and the model was trained on sub-words with data.level=bpe, "
            "where it spells the unknown ones; leave it out"
        )
