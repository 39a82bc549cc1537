from __future__ import annotations

import subprocess
import sys

import numpy as np

from rnnx.tasks.data.video.example import Video


def test_it_has_frames_labels_and_a_place_in_this_order() -> None:
    frames = np.zeros((2, 3))
    video = Video(frames, [0, 1], "tea.npy")
    assert list(video._asdict()) == ["inputs", "labels", "place"]
    assert video.inputs is frames
    assert Video(frames, [0, 1]).place == ""


def test_options_of_the_data_are_read_without_torch() -> None:
    modules = ", ".join(f"rnnx.tasks.data.video.{name}" for name in ("toy", "files", "features"))
    code = f"import sys, {modules}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
