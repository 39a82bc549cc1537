from __future__ import annotations

import subprocess
import sys

from rnnx.tasks.data.nmt.example import Example


def test_it_has_both_sides_and_the_reference_in_this_order() -> None:
    assert Example([5, 3], [7, 8, 3], "a b")._asdict() == {
        "source": [5, 3],
        "target": [7, 8, 3],
        "reference": "a b",
    }


def test_options_of_the_data_are_read_without_torch() -> None:
    code = "import sys, rnnx.tasks.data.nmt.corpus; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
