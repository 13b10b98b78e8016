"""Make the example images: photographs that libraries carry, and what small decoders draw of them.

Run with the development install: python examples/make_examples.py

The page of `authentiscan app` has two of them to try; the generated one gets metadata that says so.

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
PAGE = HERE.parent / "src" / "authentiscan" / "serving" / "app" / "assets"
STEPS = 700
XMP = b"""<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
 Iptc4xmpExt:DigitalSourceType="http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"/>
</rdf:RDF></x:xmpmeta><?xpacket end="r"?>"""


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


def labelled(jpeg: bytes) -> bytes:
    """``jpeg`` with XMP that says that a generative model made it; pixels stay."""
    packet = b"http://ns.adobe.com/xap/1.0/\0" + XMP
    return jpeg[:2] + b"\xff\xe1" + (len(packet) + 2).to_bytes(2, "big") + packet + jpeg[2:]


def for_the_page() -> None:
    """The two examples that the page offers, from those made here."""
    PAGE.joinpath("photograph.jpg").write_bytes((HERE / "photographs" / "coffee.jpg").read_bytes())
    drawn_cat = (HERE / "generated" / "cat-decoder.jpg").read_bytes()
    PAGE.joinpath("generated.jpg").write_bytes(labelled(drawn_cat))


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
    for_the_page()


if __name__ == "__main__":
    main()
