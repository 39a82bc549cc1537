"""The backbone against the library's own models: a tiny ResNet and a tiny ViT, saved here."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from transformers import ResNetConfig, ResNetModel, ViTConfig, ViTModel

from rnnx.core.errors import UsageError
from rnnx.tasks.parts.nets.backbone import Backbone

SHAPE = (3, 32, 48)
MEAN, STD = [0.5, 0.4, 0.3], [0.2, 0.1, 0.4]
PICTURES = torch.randint(256, (4, *SHAPE), generator=torch.Generator().manual_seed(1)).float()
EACH = torch.tensor([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]]).view(2, 3, 1, 1)  # of ImageNet


def resnet(folder: Path) -> ResNetModel:
    """Saves a ResNet of two stages, whose last map has an eighth of a picture's height and width."""
    torch.manual_seed(0)
    config = ResNetConfig(embedding_size=8, hidden_sizes=[8, 12], depths=[1, 1], layer_type="basic")
    model = ResNetModel(config).eval()
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.running_mean.normal_()  # type: ignore[union-attr]
            layer.running_var.uniform_(0.5, 2)  # type: ignore[union-attr]
    model.save_pretrained(folder)
    return model


def vit(folder: Path) -> ViTModel:
    """Saves a ViT that reads pictures of 32 x 48 as 4 x 6 patches."""
    torch.manual_seed(0)
    config = ViTConfig(
        hidden_size=10,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        image_size=[32, 48],
        patch_size=8,
        hidden_dropout_prob=0.5,
    )
    model = ViTModel(config).eval()
    model.save_pretrained(folder)
    return model


@torch.no_grad()
def test_places_are_those_of_the_last_map(tmp_path: Path) -> None:
    model = resnet(tmp_path)
    backbone = Backbone(str(tmp_path), True, SHAPE)
    maps = model((PICTURES / 255 - EACH[0]) / EACH[1]).last_hidden_state
    assert maps.shape == (4, 12, 4, 6)
    assert (backbone.grid, backbone.size) == ((4, 6), 12)
    expected = torch.stack([maps[:, :, place // 6, place % 6] for place in range(24)], 1)
    torch.testing.assert_close(backbone(PICTURES), expected)


@torch.no_grad()
def test_places_are_the_tokens_after_the_class(tmp_path: Path) -> None:
    model = vit(tmp_path)
    backbone = Backbone(str(tmp_path), False, SHAPE).train()
    tokens = model((PICTURES / 255 - EACH[0]) / EACH[1]).last_hidden_state
    assert tokens.shape == (4, 25, 10)
    assert (backbone.grid, backbone.size) == ((4, 6), 10)
    torch.testing.assert_close(backbone(PICTURES), tokens[:, 1:])  # without dropout, in training too


@torch.no_grad()
def test_pictures_are_normalised_as_its_folder_says(tmp_path: Path) -> None:
    model = resnet(tmp_path)
    preparation = {"image_processor_type": "ConvNextImageProcessor", "image_mean": MEAN, "image_std": STD}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(preparation))
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (MEAN, STD))
    maps = model((PICTURES / 255 - mean) / std).last_hidden_state
    torch.testing.assert_close(Backbone(str(tmp_path), True, SHAPE)(PICTURES), maps.flatten(2).mT)


@torch.no_grad()
def test_a_grey_picture_is_one_of_three_equal_channels(tmp_path: Path) -> None:
    resnet(tmp_path)
    grey = PICTURES[:, :1]
    expected = Backbone(str(tmp_path), True, SHAPE)(grey.expand(-1, 3, -1, -1))
    torch.testing.assert_close(Backbone(str(tmp_path), True, (1, 32, 48))(grey), expected)


def test_it_learns_nothing_of_the_pictures_that_it_reads_with(tmp_path: Path) -> None:
    """A batch normalisation in training would take the batch's statistics, and change its own."""
    resnet(tmp_path)
    backbone = Backbone(str(tmp_path), False, SHAPE).train()
    before = {name: value.clone() for name, value in backbone.state_dict().items()}
    together = backbone(PICTURES)
    for n in range(4):
        torch.testing.assert_close(backbone(PICTURES[n : n + 1])[0], together[n], rtol=1e-4, atol=1e-5)
    assert all(torch.equal(value, before[name]) for name, value in backbone.state_dict().items())


@pytest.mark.parametrize("save", [resnet, vit])
def test_frozen_it_has_no_weight_to_train_and_tuned_those_that_matter(save, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    save(tmp_path)
    frozen = Backbone(str(tmp_path), True, SHAPE)
    assert not any(weight.requires_grad for weight in frozen.parameters())
    assert not frozen(PICTURES).requires_grad

    tuned = Backbone(str(tmp_path), False, SHAPE)
    tuned(PICTURES).square().sum().backward()
    for name, weight in tuned.named_parameters():
        assert weight.requires_grad == (weight.grad is not None) == ("pooler" not in name), name
        assert not weight.requires_grad or weight.grad.abs().sum() > 0 or "key.bias" in name  # type: ignore[union-attr]


def test_numbers_are_of_the_type_that_new_tensors_have(doubles: None, tmp_path: Path) -> None:
    resnet(tmp_path)
    places: Tensor = Backbone(str(tmp_path), True, SHAPE)(PICTURES.double())
    assert places.dtype == torch.double


def test_what_is_no_such_model_is_refused(tmp_path: Path) -> None:
    empty, pickled, model = tmp_path / "empty", tmp_path / "pickled", tmp_path / "model"
    empty.mkdir()
    torch.save(resnet(pickled).state_dict(), pickled / "pytorch_model.bin")
    (pickled / "model.safetensors").unlink()
    for name in (empty, pickled, tmp_path / "nowhere"):
        problem = f"^task.backbone: '{name}' is neither a folder with a model nor one that the hub gives: "
        with pytest.raises(UsageError, match=problem):
            Backbone(str(name), True, SHAPE)
    vit(model)
    problem = f"^task.backbone: '{model}' does not read pictures of 32 x 32 pixels: "
    with pytest.raises(UsageError, match=problem):
        Backbone(str(model), True, (3, 32, 32))


def test_who_lacks_the_library_is_told_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)  # as Python has it for what cannot be imported
    with pytest.raises(UsageError, match=r"pip install 'rnnx-tasks\[backbones\]'"):
        Backbone("any", True, SHAPE)
