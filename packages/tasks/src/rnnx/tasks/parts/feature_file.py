"""Features of the frames of a video, computed beforehand, from a NumPy file as MS-TCN has them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from rnnx.core.errors import InputError


def read_features(path: str | Path) -> NDArray[np.floating[Any]]:
    """The features of a video, ``(T, D)``, of a file that holds ``(D, T)``: a column for each frame.

    The numbers stay in the file until they are used. Nothing in a file is ever unpickled.

    Args:
        path: A ``.npy`` file of floating-point numbers.

    Raises:
        InputError: there is no such file, or it holds something else, or a number that is not finite.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp(), "tea.npy")
        >>> np.save(file, np.zeros((128, 30), dtype=np.float16))
        >>> read_features(file).shape
        (30, 128)
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise InputError(path, "expected a NumPy file of features, and there is no such file; check the path")
    try:
        features = open_memmap(path, mode="r")
    except (ValueError, OSError) as error:
        raise InputError(
            path,
            f"expected a NumPy file (.npy) of plain numbers, and it cannot be read: {error}; "
            "write it with numpy.save",
        ) from None
    if features.ndim != 2 or features.dtype.kind != "f" or not features.size:
        raise InputError(
            path,
            "expected floating-point numbers of shape (features, frames), got "
            f"{features.dtype} of shape {features.shape}",
        )
    finite = np.isfinite(features).all(0)
    if not finite.all():
        raise InputError(path, f"the features of frame {finite.argmin()} (from 0) are not all finite numbers")
    return features.T
