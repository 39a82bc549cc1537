from __future__ import annotations

import re

from matplotlib.image import imread


def test_a_learning_rate_is_found(rnnx):
    words = "find-lr data.train=99 data.valid=2 data.test=2 cell.hidden_size=8 --steps 30 --plot rates.png"
    done = rnnx(*words.split())
    assert re.fullmatch(r"optimizer.lr=\S+\n", done.stdout)
    assert done.stderr == ""
    assert 1e-6 <= float(done.stdout.partition("=")[2]) <= 1
    assert imread(rnnx.folder / "rates.png").ndim == 3
    assert [path.name for path in rnnx.folder.iterdir()] == ["rates.png"]
