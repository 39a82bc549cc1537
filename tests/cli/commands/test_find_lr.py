from __future__ import annotations

import json
import re

from matplotlib.image import imread


def test_a_learning_rate_is_found(rnnx, quick):
    words = "find-lr data.train=99 data.valid=2 data.test=2 cell.hidden_size=8 --steps 30 --plot rates.png"
    done = rnnx(*words.split())
    asked = quick(*words.split()[:-2], "--json")
    assert re.fullmatch(r"optimizer.lr=\S+\n", done.stdout)
    assert done.stderr == ""
    found = json.loads(asked.stdout)
    assert done.stdout == f"optimizer.lr={found['suggestion']:.2g}\n"
    place = found["rates"].index(found["suggestion"])
    assert 0 < place < len(found["rates"]) - 1
    assert found["losses"][place + 1] < found["losses"][place - 1]  # where the loss falls
    assert imread(rnnx.folder / "rates.png").ndim == 3
    assert [path.name for path in rnnx.folder.iterdir()] == ["rates.png"]
