"""Scores of entities against transcriptions of conlleval.pl and of seqeval, and published numbers."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise, product

import pytest
import torch

from rnnx.tasks.parts.scores.entity_scores import EntityScores
from rnnx.tasks.parts.texts.tags import Scheme, Tag, entities, inventory

TYPES = ("LOC", "PER")
IOB: list[str] = [str(tag) for tag in inventory(TYPES, "iob2")]
IOBES: list[str] = [str(tag) for tag in inventory(TYPES, "iobes")]


# ----------------------------------------------------------- conlleval.pl (Tjong Kim Sang 2000), line by line


def parted(tag: str) -> tuple[str, str]:
    prefix, _, type = tag.partition("-")
    return prefix, type


def end_of_chunk(prev_tag: str, tag: str, prev_type: str, type: str) -> bool:
    chunk_end = False
    if prev_tag == "B" and tag == "B":
        chunk_end = True
    if prev_tag == "B" and tag == "O":
        chunk_end = True
    if prev_tag == "I" and tag == "B":
        chunk_end = True
    if prev_tag == "I" and tag == "O":
        chunk_end = True
    if prev_tag == "E" and tag == "E":
        chunk_end = True
    if prev_tag == "E" and tag == "I":
        chunk_end = True
    if prev_tag == "E" and tag == "O":
        chunk_end = True
    if prev_tag not in ("O", ".") and prev_type != type:
        chunk_end = True
    return chunk_end


def start_of_chunk(prev_tag: str, tag: str, prev_type: str, type: str) -> bool:
    chunk_start = False
    if prev_tag == "B" and tag == "B":
        chunk_start = True
    if prev_tag == "I" and tag == "B":
        chunk_start = True
    if prev_tag == "O" and tag == "B":
        chunk_start = True
    if prev_tag == "O" and tag == "I":
        chunk_start = True
    if prev_tag == "E" and tag == "E":
        chunk_start = True
    if prev_tag == "E" and tag == "I":
        chunk_start = True
    if prev_tag == "O" and tag == "E":
        chunk_start = True
    if tag not in ("O", ".") and prev_type != type:
        chunk_start = True
    return chunk_start


def conlleval(sentences: Sequence[tuple[Sequence[str], Sequence[str]]]) -> dict[str, Counter[str]]:
    """Of (right, guessed) sentences, how many chunks of each type are correct, guessed and right."""
    correct_chunk: Counter[str] = Counter()
    found_guessed: Counter[str] = Counter()
    found_correct: Counter[str] = Counter()
    for right, guesses in sentences:
        in_correct = False
        last_correct = last_guessed = "O"
        last_correct_type = last_guessed_type = ""
        for correct_word, guessed_word in zip([*right, "O"], [*guesses, "O"], strict=True):
            correct, correct_type = parted(correct_word)
            guessed, guessed_type = parted(guessed_word)
            correct_ends = end_of_chunk(last_correct, correct, last_correct_type, correct_type)
            guessed_ends = end_of_chunk(last_guessed, guessed, last_guessed_type, guessed_type)
            if in_correct:
                if correct_ends and guessed_ends and last_guessed_type == last_correct_type:
                    in_correct = False
                    correct_chunk[last_correct_type] += 1
                elif correct_ends != guessed_ends or guessed_type != correct_type:
                    in_correct = False
            correct_starts = start_of_chunk(last_correct, correct, last_correct_type, correct_type)
            guessed_starts = start_of_chunk(last_guessed, guessed, last_guessed_type, guessed_type)
            if correct_starts and guessed_starts and guessed_type == correct_type:
                in_correct = True
            found_correct[correct_type] += correct_starts
            found_guessed[guessed_type] += guessed_starts
            last_correct, last_correct_type = correct, correct_type
            last_guessed, last_guessed_type = guessed, guessed_type
    return {"correct": correct_chunk, "predicted": found_guessed, "expected": found_correct}


def scored(correct: int, predicted: int, expected: int) -> tuple[float, float, float]:
    """Precision, recall and FB1 as conlleval.pl computes them, before it rounds."""
    precision = 100 * correct / predicted if predicted else 0.0
    recall = 100 * correct / expected if expected else 0.0
    return precision, recall, 2 * precision * recall / (precision + recall) if correct else 0.0


# ------------------------------------------- seqeval's get_entities (Nakayama 2018), for the tags E and S too


def seqeval_ends(prev_tag: str, tag: str, prev_type: str, type: str) -> bool:
    return (
        prev_tag in ("E", "S")
        or (prev_tag == "B" and tag in ("B", "S", "O"))
        or (prev_tag == "I" and tag in ("B", "S", "O"))
        or (prev_tag not in ("O", ".") and prev_type != type)
    )


def seqeval_starts(prev_tag: str, tag: str, prev_type: str, type: str) -> bool:
    return (
        tag in ("B", "S")
        or (prev_tag in ("E", "S", "O") and tag in ("E", "I"))
        or (tag not in ("O", ".") and prev_type != type)
    )


def seqeval(tags: Sequence[str]) -> list[tuple[int, int, str]]:
    """The chunks, with the place after each one's end."""
    chunks = []
    prev_tag, prev_type, begin = "O", "", 0
    for place, word in enumerate([*tags, "O"]):
        tag, type = parted(word)
        if seqeval_ends(prev_tag, tag, prev_type, type):
            chunks.append((begin, place, prev_type))
        if seqeval_starts(prev_tag, tag, prev_type, type):
            begin = place
        prev_tag, prev_type = tag, type
    return chunks


# ------------------------------------------------------------------------------------------------------ ours


def metric(scheme: Scheme = "iob2") -> EntityScores:
    return EntityScores(inventory(TYPES, scheme))


def updated(
    counts: EntityScores, names: list[str], sentences: Sequence[tuple[Sequence[str], Sequence[str]]]
) -> EntityScores:
    """One batch of (right, guessed) sentences, padded with what would make entities."""
    longest = max(len(right) for right, _ in sentences)
    right, guessed = (
        torch.tensor(
            [[*map(names.index, pair[side]), *[1] * (longest - len(pair[side]))] for pair in sentences]
        )
        for side in (0, 1)
    )
    counts.update(guessed, right, torch.tensor([len(words) for words, _ in sentences]))
    return counts


def counted(counts: EntityScores) -> dict[str, list[int]]:
    return {name: getattr(counts, name).tolist() for name in ("correct", "predicted", "expected")}


def by_type(found: dict[str, Counter[str]]) -> dict[str, list[int]]:
    return {name: [counter[type] for type in TYPES] for name, counter in found.items()}


def test_every_pair_of_short_sentences_is_counted_as_conlleval_does() -> None:
    """5^3 by 5^3 of them, most of which break IOB."""
    every = list(product(IOB, repeat=3))
    for right in every:
        pairs = [(right, guessed) for guessed in every]
        assert counted(updated(metric(), IOB, pairs)) == by_type(conlleval(pairs)), right


def test_long_sentences_of_many_lengths_are_counted_as_conlleval_does() -> None:
    rng = random.Random(1)
    for _ in range(30):
        pairs = []
        for _ in range(12):
            right = rng.choices(IOB, k=rng.randint(1, 15))
            guessed = [tag if rng.random() < 0.8 else rng.choice(IOB) for tag in right]
            pairs.append((right, guessed))
        found = conlleval(pairs)
        counts = updated(metric(), IOB, pairs)
        assert counted(counts) == by_type(found)
        values = {name: value.item() for name, value in counts.compute().items()}
        totals = [sum(counter.values()) for counter in found.values()]
        assert (values["precision"], values["recall"], values["f1"]) == pytest.approx(scored(*totals))
        for type in TYPES:
            of_type = scored(*(counter[type] for counter in found.values()))
            names = (f"precision_{type}", f"recall_{type}", f"f1_{type}")
            assert tuple(values[name] for name in names) == pytest.approx(of_type)


def test_tags_of_all_schemes_are_read_as_seqeval_reads_them() -> None:
    """9^4 sequences, by what reads lists and by what reads tensors."""
    every = list(product(IOBES, repeat=4))
    chunks = [seqeval(tags) for tags in every]
    assert [[tuple(entity) for entity in entities(map(Tag.of, tags))] for tags in every] == chunks
    counts = metric("iobes")
    numbers = torch.tensor([[IOBES.index(tag) for tag in tags] for tags in every])
    spans = counts.spans(numbers, torch.ones_like(numbers, dtype=torch.bool))
    for row, expected in enumerate(chunks):
        begins = spans.type[row].nonzero().squeeze(1).tolist()
        found = [
            (place, int(spans.stop[row, place]), TYPES[int(spans.type[row, place]) - 1]) for place in begins
        ]
        assert found == expected


def test_both_witnesses_agree_where_both_know_the_tags() -> None:
    for tags in product(IOB, repeat=5):
        pairs = pairwise([("O", ""), *map(parted, tags), ("O", "")])
        rules = [(one[0], other[0], one[1], other[1]) for one, other in pairs]
        assert [start_of_chunk(*each) for each in rules] == [seqeval_starts(*each) for each in rules]
        assert [end_of_chunk(*each) for each in rules] == [seqeval_ends(*each) for each in rules]


def test_the_numbers_in_the_manual_of_conlleval() -> None:
    """459 phrases, found 539, correct 371: precision 68.83%, recall 80.83%, FB1 74.35 (its example)."""
    hit, invented, missed = (["B-PER"], ["B-PER"]), (["O"], ["B-PER"]), (["B-PER"], ["O"])
    pairs = [hit] * 371 + [invented] * (539 - 371) + [missed] * (459 - 371)
    values = updated(metric(), IOB, pairs).compute()
    assert [round(values[name].item(), 2) for name in ("precision", "recall", "f1")] == [68.83, 80.83, 74.35]


def test_worked_by_hand() -> None:
    """A wrong end, a wrong type, a hit, and an I- that begins an entity."""
    right = ["B-PER", "I-PER", "O", "B-LOC", "O", "B-LOC", "I-LOC", "B-PER"]
    guess = ["B-PER", "O", "O", "B-PER", "O", "I-LOC", "I-LOC", "B-PER"]
    values = {
        name: value.item() for name, value in updated(metric(), IOB, [(right, guess)]).compute().items()
    }
    assert values == pytest.approx(
        {
            "precision": 50.0,
            "recall": 50.0,
            "f1": 50.0,
            "precision_LOC": 100.0,
            "recall_LOC": 50.0,
            "f1_LOC": 200 / 3,
            "precision_PER": 100 / 3,
            "recall_PER": 50.0,
            "f1_PER": 40.0,
        }
    )


def test_nothing_found_is_nought() -> None:
    nothing = updated(metric(), IOB, [(["O"], ["O"])]).compute()
    assert {value.item() for value in nothing.values()} == {0.0}
    nobody = updated(metric(), IOB, [(["B-PER"], ["O"])]).compute()
    assert (nobody["precision"], nobody["recall"], nobody["f1"]) == (0, 0, 0)


def test_batches_and_processes_add_up() -> None:
    rng = random.Random(2)
    pairs = [(rng.choices(IOB, k=6), rng.choices(IOB, k=6)) for _ in range(40)]
    whole = updated(metric(), IOB, pairs)
    parts = metric()
    for start in range(0, 40, 7):
        updated(parts, IOB, pairs[start : start + 7])
    assert counted(parts) == counted(whole)
    other = updated(metric(), IOB, pairs[:11])
    other.merge_state(updated(metric(), IOB, pairs[11:]))
    assert counted(other) == counted(whole)
    whole.reset()
    assert sum(map(sum, counted(whole).values())) == 0


def test_the_first_tag_must_be_the_one_outside() -> None:
    with pytest.raises(ValueError, match="first tag to be O, got B-PER"):
        EntityScores([Tag("B", "PER")])
