"""Features of videos and images, computed beforehand, from a NumPy file for each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from rnnx.core.errors import InputError
from rnnx.core.paths import typed


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
    features = _opened(typed(path), "(features, frames)", 2)
    return _finite(path, features.T, "frame")


def read_grid(path: str | Path) -> NDArray[np.floating[Any]]:
    """The features of the places of an image, ``(S, D)``, row by row.

    The numbers stay in the file until they are used. Nothing in a file is ever unpickled.

    Args:
        path: A ``.npy`` file of floating-point numbers, ``(S, D)``; or ``(D, H, W)``, the last maps of a
            convolutional net, which are flattened: ``S = H * W``.

    Raises:
        InputError: there is no such file, or it holds something else, or a number that is not finite.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp(), "1.npy")
        >>> np.save(file, np.zeros((512, 14, 14), dtype=np.float32))
        >>> read_grid(file).shape
        (196, 512)
    """
    features = _opened(typed(path), "(places, features) or (features, height, width)", 2, 3)
    if features.ndim == 3:
        features = features.reshape(len(features), -1).T  # (S, D)
    return _finite(path, features, "place")


def _opened(path: Path, shape: str, *dimensions: int) -> NDArray[np.floating[Any]]:
    if not path.is_file():
        raise InputError(path, "expected a NumPy file of features, and there is no such file; check the path")
    try:
        features = open_memmap(path, mode="r")
    except Exception as error:  # a header is read as Python, by whose parts it may be refused
        raise InputError(
            path,
            f"expected a NumPy file (.npy) of plain numbers, and it cannot be read: {error}; "
            "write it with numpy.save",
        ) from None
    if features.ndim not in dimensions or features.dtype.kind != "f" or not features.size:
        raise InputError(
            path,
            f"expected floating-point numbers of shape {shape}, got "
            f"{features.dtype} of shape {features.shape}",
        )
    return features


def _finite(path: str | Path, features: NDArray[np.floating[Any]], row: str) -> NDArray[np.floating[Any]]:
    finite = np.isfinite(features).all(1)
    if not finite.all():
        raise InputError(path, f"the features of {row} {finite.argmin()} (from 0) are not all finite numbers")
    return features
