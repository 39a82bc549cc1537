"""A pretrained vision model of the ``transformers`` library that makes of a picture places to look at."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from typing import Any, Final, final

import torch
from torch import Tensor, nn

from rnnx.core.errors import UsageError

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet's colours
INSTALL: Final = "pip install 'rnnx-tasks[backbones]'"


@final
class Backbone(nn.Module):
    """The last hidden state of any vision model that ``transformers.AutoModel`` loads: ResNet, ViT, DINOv2...

    Places are those of its last map, or its last tokens that make a grid of the shape of a picture, so
    without a class token or registers before them. It is always in evaluation mode, tuned or not: a batch
    normalisation keeps the statistics that it has learnt, and no picture depends on its neighbours.

    Only ``.safetensors`` weights are read, nothing is unpickled, and no code of a model is run.

    Args:
        name: A model of the hub, or a local folder that ``save_pretrained`` wrote.
        frozen: Whether its weights stay as they are.
        shape: Channels, height and width of a picture; one of 1 channel is read as one of 3.

    Attributes:
        size: Width of a place.
        grid: How many places there are down and across.

    Raises:
        UsageError: the library is not installed, there is no such model, or it does not take such pictures.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, name: str, frozen: bool, shape: Sequence[int]) -> None:
        super().__init__()
        self.model, preparation = _loaded(name)
        for part, usual in (("mean", MEAN), ("std", STD)):
            values = torch.tensor(preparation.get(f"image_{part}", usual))
            self.register_buffer(part, values.view(-1, 1, 1), persistent=False)
        self.eval()
        try:
            with torch.enable_grad():
                found = self._hidden(torch.zeros(1, *shape))
        except Exception as error:  # models raise whatever they stumble over
            raise UsageError(
                f"task.backbone: '{name}' does not read pictures of {shape[1]} x {shape[2]} pixels: {error}"
            ) from None
        is_map = found.dim() == 4
        self.size = found.shape[1 if is_map else 2]
        self.grid = (found.shape[2], found.shape[3]) if is_map else _grid(found.shape[1], shape)
        _train_only_what_is_used(self.model, found, frozen)

    def train(self, mode: bool = True) -> Backbone:
        """Stays in evaluation mode."""
        return super().train(False)

    def forward(self, pictures: Tensor) -> Tensor:
        """The places ``(N, S, size)``, row by row, of pictures ``(N, C, H, W)`` of 0 to 255."""
        hidden = self._hidden(pictures)
        tokens = hidden.flatten(2).transpose(1, 2) if hidden.dim() == 4 else hidden  # (N, L, size)
        return tokens[:, -math.prod(self.grid) :]

    def _hidden(self, pictures: Tensor) -> Tensor:
        """The last hidden state: a map ``(N, size, h, w)``, or tokens ``(N, L, size)``."""
        hidden: Tensor = self.model(pixel_values=(pictures / 255 - self.mean) / self.std).last_hidden_state
        return hidden


def _loaded(name: str) -> tuple[nn.Module, dict[str, Any]]:
    """A model, and how pictures are prepared for it; nothing of that where its folder does not say."""
    try:
        from transformers import AutoModel
        from transformers.image_processing_base import ImageProcessingMixin
        from transformers.utils import logging
    except ImportError:
        raise UsageError(f"task.backbone: it needs the library transformers; {INSTALL}") from None
    if not sys.stderr.isatty():
        logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        model = AutoModel.from_pretrained(name, use_safetensors=True, dtype=torch.get_default_dtype())
    except (OSError, ValueError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise UsageError(
            f"task.backbone: '{name}' is neither a folder with a model nor one that the hub gives: {reason}"
        ) from None
    try:
        return model, ImageProcessingMixin.get_image_processor_dict(name)[0]
    except OSError:
        return model, {}


def _grid(tokens: int, shape: Sequence[int]) -> tuple[int, int]:
    """The largest grid of the shape of a picture, down and across, that so many tokens can make."""
    _, height, width = shape
    side = math.sqrt(tokens / (height * width))
    return max(1, int(height * side + 1e-6)), max(1, int(width * side + 1e-6))


@torch.enable_grad()
def _train_only_what_is_used(model: nn.Module, found: Tensor, frozen: bool) -> None:
    """A pooler, say, has no part in the places; training on several devices stops at such a weight."""
    weights = list(model.parameters())
    gradients = torch.autograd.grad(found.sum(), weights, allow_unused=True)
    for weight, gradient in zip(weights, gradients, strict=True):
        weight.requires_grad_(gradient is not None and not frozen)
