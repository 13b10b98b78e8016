"""Turning checkpoints of others into graphs: through timm or transformers, never by their code.

Weights are read from safetensors, or from pickles by PyTorch's loader for weights alone. The
network is built here, from the card or from the configuration beside the weights.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from authentiscan.core.errors import BundleError, MissingExtraError, UsageError
from authentiscan.core.types import JsonObject
from authentiscan.images.preprocess import Preprocess
from authentiscan.inference.export import export_onnx
from authentiscan.inference.shelf.card import Card, Output
from authentiscan.models.base import ImageClassifier, PooledHead

_RESAMPLE = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic"}


def export(card: Card, files: Mapping[str, Path], target: Path) -> tuple[Preprocess, int]:
    """Write the graph of ``card``'s network with the weights in ``files`` as ``target``.

    Gives what it takes, and how many numbers it has. Raises BundleError where weights and card do
    not fit, MissingExtraError without transformers.
    """
    builders = {"timm": _timm, "npr": _npr, "clip": _clip, "transformers": _transformers}
    network, preprocess = builders[card.kind](card, files)
    network.eval().requires_grad_(False)
    cam = isinstance(network, ImageClassifier)
    export_onnx(network, target, size=preprocess.size, cam=cam)
    return preprocess, sum(p.numel() for p in network.parameters())


def read_weights(path: Path) -> dict[str, Tensor]:
    """Tensors by name of a safetensors file or of a pickle, which is read for weights alone."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        with path.open("rb") as stream:
            start = stream.read(9)
        if start[8:9] == b"{":
            return load_file(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, SafetensorError, RuntimeError, ValueError, EOFError) as error:
        raise BundleError(f"{path} holds no weights that can be read safely") from error
    except Exception as error:  # the unpickler's refusals share no public base
        raise BundleError(
            f"{path} asks for more than weights when it is read; it was left alone"
        ) from error
    for key in ("model", "state_dict", "model_state_dict"):
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
    if not isinstance(content, dict) or not all(isinstance(v, Tensor) for v in content.values()):
        raise BundleError(f"{path} holds something else than tensors by name")
    return {name: tensor.float() for name, tensor in _unwrapped(content).items()}


def _unwrapped(tensors: Mapping[object, Tensor]) -> dict[str, Tensor]:
    """Without the ``module.`` that PyTorch's data-parallel wrappers put before every name."""
    names = {str(name): tensor for name, tensor in tensors.items()}
    if not all(name.startswith("module.") for name in names):
        return names
    return {name.removeprefix("module."): tensor for name, tensor in names.items()}


class _Logit(nn.Module):
    """A classifier's outputs as one logit, positive for generated."""

    def __init__(self, network: nn.Module, generated: tuple[int, ...], classes: int) -> None:
        super().__init__()
        self.network = network
        self.generated = list(generated)
        self.others = [c for c in range(classes) if c not in generated]
        if classes > 1 and not (self.generated and self.others):
            raise BundleError(f"of {classes} classes, {len(self.generated)} mean generated")

    def forward(self, image: Tensor) -> Tensor:
        found = self.network(image)
        scores: Tensor = getattr(found, "logits", found)
        if not self.generated:
            return scores.flatten()
        mine = torch.logsumexp(scores[:, self.generated], dim=1)
        return mine - torch.logsumexp(scores[:, self.others], dim=1)


def _timm(card: Card, files: Mapping[str, Path]) -> tuple[nn.Module, Preprocess]:
    """A timm network by the card's ``network``: name, arguments, and where the weights stand.

    prefix: before timm's own names in the file. lora: scale of low-rank updates stored beside the
    weights as ``.lora.lora_A`` and ``.lora.lora_B``, which are added to them.
    """
    import timm

    assert card.input is not None
    settings = dict(card.network)
    prefix, lora = str(settings.pop("prefix", "")), settings.pop("lora", None)
    head, then = str(settings.pop("head", f"{prefix}head")), settings.pop("then", None)
    name, classes = str(settings.pop("name")), int(settings.pop("classes", 1))
    weights = read_weights(_first(files))
    stored = {k.removeprefix(prefix): v for k, v in weights.items() if k.startswith(prefix)}
    if lora is not None:
        stored = merged(stored, float(lora))
    network: Any = timm.create_model(name, pretrained=False, num_classes=classes, **settings)
    found: Any = network.get_classifier()
    last = next(n for n, module in network.named_modules() if module is found)
    last_weight, last_bias = (weights[f"{head}.{kind}"] for kind in ("weight", "bias"))
    if then is not None:
        outer = weights[f"{then}.weight"]
        last_weight, last_bias = outer @ last_weight, outer @ last_bias + weights[f"{then}.bias"]
    stored |= {f"{last}.weight": last_weight, f"{last}.bias": last_bias}
    adapt = getattr(import_module(type(network).__module__), "checkpoint_filter_fn", None)
    _load(network, adapt(stored, network) if adapt else stored, card)
    numbers = tuple(c for c in card.output.generated if isinstance(c, int))
    return _Logit(network, numbers, classes), card.input


def merged(weights: Mapping[str, Tensor], scale: float) -> dict[str, Tensor]:
    """Weights with their low-rank updates added: W + scale * B A (Hu et al., ICLR 2022)."""
    found: dict[str, Tensor] = {}
    for name, value in weights.items():
        layer, layered, kind = name.rpartition(".original_layer.")
        if ".lora." in name:
            continue
        if not layered:
            found[name] = value
        elif kind == "weight":
            low, high = (weights[f"{layer}.lora.lora_{side}"] for side in "AB")
            found[f"{layer}.weight"] = value + scale * (high @ low)
        else:
            found[f"{layer}.{kind}"] = value
    return found


class NprMaps(nn.Module):
    """What nearest-neighbour upsampling by two leaves of an image, read by a cut-off ResNet-50.

    Each pixel less the upper left of its 2x2 square (Tan et al., CVPR 2024), then the first two
    stages with a 3x3 stem. Even sides only.
    """

    def __init__(self) -> None:
        super().__init__()
        from timm.models.resnet import resnet50

        whole = resnet50(pretrained=False)
        self.conv1 = nn.Conv2d(3, 64, 3, stride=2, padding=1, bias=False)
        self.bn1, self.maxpool = whole.bn1, whole.maxpool
        self.layer1, self.layer2 = whole.layer1, whole.layer2

    def forward(self, image: Tensor) -> Tensor:
        """(N, 3, S, S) -> (N, 512, S / 8, S / 8)."""
        half = image[:, :, ::2, ::2]
        again = half.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
        x = torch.relu(self.bn1(self.conv1((image - again) * (2 / 3))))
        found: Tensor = self.layer2(self.layer1(self.maxpool(x)))
        return found


class _Probe(nn.Module):
    """An image tower of CLIP and a linear layer on its embedding."""

    def __init__(self, tower: nn.Module, weight: Tensor, bias: Tensor) -> None:
        super().__init__()
        self.tower, self.weight, self.bias = tower, nn.Parameter(weight), nn.Parameter(bias)

    def forward(self, image: Tensor) -> Tensor:
        embedding = self.tower(image).image_embeds
        return torch.nn.functional.linear(embedding, self.weight, self.bias).flatten()


def _clip(card: Card, files: Mapping[str, Path]) -> tuple[nn.Module, Preprocess]:
    """The image tower that the configuration describes; the linear layer is the first file."""
    from transformers import CLIPVisionModelWithProjection

    assert card.input is not None
    head = read_weights(_first(files))
    tower = _pretrained(CLIPVisionModelWithProjection, files["config.json"].parent)
    try:
        return _Probe(tower, head["weight"], head["bias"]), card.input
    except KeyError as error:
        raise BundleError(f"{_first(files)} holds no linear layer: weight and bias") from error


def _npr(card: Card, files: Mapping[str, Path]) -> tuple[nn.Module, Preprocess]:
    assert card.input is not None
    network = ImageClassifier(NprMaps(), PooledHead(512, (), ()))
    stored = read_weights(_first(files))
    named = {f"head.out.{k[4:]}" if k.startswith("fc1.") else f"backbone.{k}": v
             for k, v in stored.items()}  # fmt: skip
    _load(network, named, card)
    return network, card.input


def _transformers(card: Card, files: Mapping[str, Path]) -> tuple[nn.Module, Preprocess]:
    """A classifier of the transformers library by the configuration that lies beside the weights.

    Only classes of the library itself are built: ``trust_remote_code`` stays off.
    """
    try:
        from transformers import AutoModelForImageClassification
    except ModuleNotFoundError as error:
        raise MissingExtraError(f"{card.name}", "shelf") from error
    folder = files["config.json"].parent
    network = _pretrained(AutoModelForImageClassification, folder)
    config = network.config
    numbers = _class_numbers(card.output, config.id2label)
    preprocess = card.input or processor(files["preprocessor_config.json"])
    return _Logit(network, numbers, int(config.num_labels)), preprocess


def _pretrained(kind: Any, folder: Path) -> Any:
    """A network of the transformers library and its weights in ``folder``: safetensors, or where
    there are none a pickle, which is read for weights alone.
    """
    try:
        network, loading = kind.from_pretrained(
            folder,
            trust_remote_code=False,
            local_files_only=True,
            use_safetensors=any(folder.glob("*.safetensors")),
            weights_only=True,
            output_loading_info=True,
        )
    except Exception as error:  # the library raises what it likes
        raise BundleError(f"{folder} holds no network of the transformers library") from error
    if loading["missing_keys"]:
        lacking = ", ".join(sorted(loading["missing_keys"])[:3])
        raise BundleError(f"the weights in {folder} lack {lacking}")
    return network


def _class_numbers(output: Output, labels: Mapping[int, str]) -> tuple[int, ...]:
    """Numbers of the classes that mean generated, by the labels in the configuration."""
    found = []
    for wanted in output.generated:
        number = next((int(n) for n, label in labels.items() if wanted in (label, int(n))), None)
        if number is None:
            raise BundleError(f"there is no class {wanted!r}; there are {sorted(labels.values())}")
        found.append(number)
    return tuple(found)


def processor(path: Path) -> Preprocess:
    """What a ``preprocessor_config.json`` of the transformers library does to an image.

    Raises BundleError for what `Preprocess` cannot do to the bit.
    """
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        size, crop = config.get("size", {}), config.get("crop_size", {})
        if (
            config.get("do_rescale", True)
            and abs(config.get("rescale_factor", 1 / 255) * 255 - 1) > 1e-6
        ):
            raise ValueError("rescale_factor")
        normal = config.get("do_normalize", True)
        common: JsonObject = {
            "interpolation": _RESAMPLE[config.get("resample", 2)],
            "mean": tuple(config["image_mean"]) if normal else (0.0, 0.0, 0.0),
            "std": tuple(config["image_std"]) if normal else (1.0, 1.0, 1.0),
        }
        cut = crop.get("height", crop) if isinstance(crop, dict) else crop
        if isinstance(size, int):
            size = {"height": size, "width": size}
        if "shortest_edge" in size:
            side = int(cut) if config.get("do_center_crop", True) and cut else size["shortest_edge"]
            return Preprocess(
                size=side, resize="short_side", short_side=size["shortest_edge"], **common
            )
        if size["height"] != size["width"]:
            raise ValueError("size")
        return Preprocess(size=size["height"], resize="squash", **common)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BundleError(
            f"{path} describes an input that cannot be reproduced here; give `input` in a card"
        ) from error


def _first(files: Mapping[str, Path]) -> Path:
    return next(iter(files.values()))


def _load(network: nn.Module, weights: Mapping[str, Tensor], card: Card) -> None:
    wanted = network.state_dict()
    kept = {k: v for k, v in weights.items() if k in wanted}
    counters = {k for k in wanted if k.endswith("num_batches_tracked")}
    lacking = sorted(set(wanted) - set(kept) - counters)
    if lacking:
        raise UsageError(
            f"the file lacks {len(lacking)} of the {len(wanted)} tensors of {card.name}'s network, "
            f"such as {lacking[0]}; is it the right one?"
        )
    try:
        network.load_state_dict(kept, strict=False)
    except RuntimeError as error:
        raise BundleError(f"the file's tensors have other shapes than {card.name}'s") from error
