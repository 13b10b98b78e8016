"""Make the example images: photographs that libraries carry, and what small decoders draw of them.

Run with the development install: python examples/make_examples.py

Photographs are saved as they come out of scikit-image and scikit-learn. The generated ones are
drawn by a small convolutional decoder (noise in, four times upsampled, picture out), fitted to one
photograph each (Ulyanov et al., *Deep Image Prior*, CVPR 2018): every pixel comes out of a neural
network's upsampling layers, as it does in a real generator. All files get one encoding: JPEG
quality 92.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from skimage import data
from sklearn.datasets import load_sample_images
from torch import nn
from torch.nn import functional

from authentiscan.images.decode import encode

HERE = Path(__file__).parent
STEPS = 700


def decoder(channels: int = 48) -> nn.Sequential:
    layers: list[nn.Module] = []
    for _ in range(4):
        layers += [
            nn.Upsample(scale_factor=2, mode="nearest"),
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.BatchNorm2d(channels),
            nn.SiLU(),
        ]
    return nn.Sequential(*layers, nn.Conv2d(channels, 3, 3, padding=1), nn.Sigmoid())


def drawn(photo: NDArray[np.uint8], seed: int) -> NDArray[np.uint8]:
    """What a decoder draws after learning ``photo`` (H, W, 3), sides divisible by 16."""
    torch.manual_seed(seed)
    wanted = torch.from_numpy(photo.astype(np.float32) / 255).permute(2, 0, 1)[None]
    noise = torch.randn(1, 48, photo.shape[0] // 16, photo.shape[1] // 16)
    model = decoder()
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
    for step in range(STEPS):
        loss = functional.l1_loss(model(noise), wanted)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 100 == 0:
            print(f"  step {step}: mean difference {loss.item() * 255:.1f} of 255", flush=True)
    with torch.no_grad():
        out = model(noise)[0].permute(1, 2, 0).numpy()
    return np.round(out * 255).astype(np.uint8)


def main() -> None:
    china, flower = load_sample_images().images
    photos = {
        "astronaut": data.astronaut(),
        "cat": data.chelsea(),
        "coffee": data.coffee(),
        "rocket": data.rocket(),
        "temple": china,
        "flower": flower,
    }
    save = {"quality": 92, "subsampling": "4:2:0"}
    for folder in ("photographs", "generated"):
        (HERE / folder).mkdir(exist_ok=True)
    for name, photo in photos.items():
        (HERE / "photographs" / f"{name}.jpg").write_bytes(encode(photo, "JPEG", **save))
    for seed, name in enumerate(("astronaut", "cat", "coffee")):
        print(name)
        photo = photos[name]
        top, left = (photo.shape[0] - 288) // 2, (photo.shape[1] - 384) // 2
        part = photo[top : top + 288, left : left + 384]
        target = HERE / "generated" / f"{name}-decoder.jpg"
        target.write_bytes(encode(drawn(part, seed), "JPEG", **save))


if __name__ == "__main__":
    main()
