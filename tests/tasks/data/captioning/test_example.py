from __future__ import annotations

import subprocess
import sys

import numpy as np

from rnnx.tasks.data.captioning.example import Example


def test_it_has_an_image_a_target_and_references_in_this_order() -> None:
    example = Example(lambda: np.ones((2, 3)), [5, 3], ("a dog", "one dog"))
    assert list(example._asdict()) == ["read", "target", "references"]
    assert example.read().shape == (2, 3)


def test_options_of_the_data_are_read_without_torch() -> None:
    names = ("toy", "files", "coco", "folder", "hub", "features")
    modules = ", ".join(f"rnnx.tasks.data.captioning.{name}" for name in names)
    code = f"import sys, {modules}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
