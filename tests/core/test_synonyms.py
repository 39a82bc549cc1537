from __future__ import annotations

from collections.abc import Iterator

import pytest

from rnnx.cli.app import COMMANDS
from rnnx.core.config import KEYS, SECTIONS, UNNAMED
from rnnx.core.options import options_of
from rnnx.core.registry import closest, plugins
from rnnx.core.synonyms import ELSEWHERE, synonym


def there_is() -> Iterator[str]:
    """Everything of rnnx's that a user may type: sections, options, names, values, commands."""
    yield from (*SECTIONS, *KEYS, *COMMANDS)
    named = [plugin for kind in ("cell", "task", "data", "optimizer", "schedule") for plugin in plugins(kind)]
    yield from (plugin.short for plugin in named)
    for target in (*named, *UNNAMED.values()):
        for name, option in options_of(target).items():
            yield from (name, *option.choices)


def test_what_is_proposed_is_there() -> None:
    assert ELSEWHERE.keys() <= set(there_is())


@pytest.mark.parametrize(
    ("theirs", "choices", "ours"),
    [  # torch.nn.LSTM, Lightning, JoeyNMT, OpenNMT-py, fairseq, Keras, torch.optim.lr_scheduler, Luong et al.
        ("num_layers", ["layers", "layer_norm"], "layers"),
        ("gradient_clip_value", ["gradient_clip_val"], "gradient_clip_val"),
        ("tied_embeddings", ["embedding", "tied"], "tied"),
        ("word_vec_size", ["embedding_size"], "embedding_size"),
        ("clip_norm", ["max_epochs", "gradient_clip_val"], "gradient_clip_val"),
        ("units", ["hidden_size"], "hidden_size"),
        ("CosineAnnealingLR", ["constant", "cosine"], "cosine"),
        ("luong", ["additive", "dot", "general", "concat", "none"], "general"),
        ("SimpleRNN", ["gru", "elman"], "elman"),
        ("keep_best_ckpts", ["monitor", "save_top_k", "every_n_minutes"], "save_top_k"),
        ("noam", ["constant", "inverse-sqrt", "plateau"], "inverse-sqrt"),
    ],
)
def test_what_others_call_it_is_known(theirs: str, choices: list[str], ours: str) -> None:
    assert closest(theirs, choices) == ours


def test_what_is_there_is_no_synonym_of_another() -> None:
    """A name is the closest to itself, also where other programs mean something else by it."""
    assert closest("hidden", ["hidden", "hidden_size"]) == "hidden"
    assert synonym("hidden", ["layers"]) is None
