"""Train the `layers` detector on folders of images: crops, aligned pairs, features, head, bundle.

    python benchmarks/train_layers.py TABLE OUT --images FOLDER [--decoder FOLDER] [--seed 0]

TABLE is Parquet with the columns path, label, source, style, split and, if wanted, weight; paths
lie below FOLDER. Rows whose split is `train` are learned from, at most `--most` of each source and
class. With --decoder, a folder with taesd.py, taef2_encoder.pth and taef2_decoder.pth of the public
repository madebyollin/taesd, one crop of some photographs also goes through that autoencoder and
counts as generated. OUT becomes an uncalibrated bundle; `authentiscan calibrate OUT
--hold-out-sources` sets its thresholds.

Both classes go through one random chain, drawn without looking at the label. Sources weigh by the
0.35th power of their size, sources of art half, photo-styled generated images double. A column
`weight` of TABLE multiplies: there, sources of one content are balanced against the other class.
Sources of faces get soft labels: the front end cannot tell generated faces from photographs of
faces that it never saw, and says so. Two heads are fitted and averaged; they become one.
"""

from __future__ import annotations

import argparse
import io
import sys
import zlib
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import torch
from PIL import Image, ImageFilter
from torch.nn import functional

from authentiscan.images.decode import decode
from authentiscan.images.history import needs_history
from authentiscan.images.preprocess import Preprocess
from authentiscan.inference.export import save_bundle
from authentiscan.models import create

SIZE, SIDE, USABLE, CODED, PAIR = 160, 320, 304, 240, 208
DRAWS = 4
PAIR_SHARE = 0.15
PHOTO = 2.0
WIDTH = 128
SOFT = {0: 0.15, 1: 0.5}
FACTOR = {0: 2.0, 1: 0.7}
FILTERS = (Image.Resampling.BICUBIC, Image.Resampling.LANCZOS, Image.Resampling.BILINEAR)
QUALITIES = (75, 80, 85, 90, 92, 95)


def saved(pixels, quality, subsampling="4:2:0", kind="JPEG"):
    """Pixels after one codec generation."""
    buffer = io.BytesIO()
    options = {"subsampling": subsampling} if kind == "JPEG" else {"method": 2}
    Image.fromarray(pixels).save(buffer, kind, quality=int(quality), **options)
    return np.asarray(Image.open(buffer).convert("RGB"))


def resized(pixels, scale, rng):
    height, width = pixels.shape[:2]
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(Image.fromarray(pixels).resize(size, FILTERS[int(rng.integers(3))]))


def on_grid(pixels, side, rng):
    """A square whose corner lies on a multiple of 16 pixels, where JPEG blocks start."""
    top, left = (int(rng.integers(max(0, n - side) // 16 + 1)) * 16 for n in pixels.shape[:2])
    return pixels[top : top + side, left : left + side]


def cut(pixels, side, rng):
    """A square of ``side`` pixels, or what there is, at any place."""
    top, left = (int(rng.integers(max(0, n - side) + 1)) for n in pixels.shape[:2])
    return pixels[top : top + side, left : left + side]


def stored_crops(path, rng):
    """A native crop and a second one, of large images from a web-sized version: crop, lossless."""
    data = path.read_bytes()
    image = decode(data)
    lossless = needs_history(data, image.facts)
    longest, shortest = max(image.pixels.shape[:2]), min(image.pixels.shape[:2])
    first = on_grid(image.pixels, SIDE, rng), lossless
    if longest > 800:
        scale = max(rng.uniform(512, min(1400, longest * 0.8)) / longest, SIDE / shortest)
        if scale < 0.95:
            return first, (on_grid(resized(image.pixels, scale, rng), SIDE, rng), True)
    return first, (on_grid(image.pixels, SIDE, rng), lossless)


def augmented(pixels, lossless, rng):
    """One training crop; nothing here sees the label."""
    if lossless and rng.random() < 0.85:
        pixels = saved(pixels, rng.choice(QUALITIES), "4:2:0" if rng.random() < 0.8 else "4:4:4")
    pixels = on_grid(pixels, USABLE, rng)
    if rng.random() < 0.4:
        scale = np.exp(rng.uniform(np.log(0.5), np.log(1.4)))
        pixels = resized(pixels, max(scale, min(1, 224 / min(pixels.shape[:2]))), rng)
    kind = rng.random()
    if kind < 0.12:
        grain = rng.normal(0, rng.uniform(0.5, 6), pixels.shape)
        pixels = np.clip(np.rint(pixels + grain), 0, 255).astype(np.uint8)
    elif kind < 0.24:
        soft = ImageFilter.GaussianBlur(float(rng.uniform(0.3, 1.2)))
        sharp = ImageFilter.UnsharpMask(1.5, int(rng.integers(40, 160)), 2)
        pixels = np.asarray(Image.fromarray(pixels).filter(soft if kind < 0.18 else sharp))
    pixels = cut(pixels, CODED, rng)
    last = rng.random()
    if last < 0.45:
        pixels = saved(pixels, 90)
    elif last < 0.92:
        low = 40 if rng.random() < 0.4 else 70
        if rng.random() < 0.12:
            pixels = saved(pixels, rng.integers(max(low, 60), 96), kind="WEBP")
        else:
            colour = "4:2:0" if rng.random() < 0.8 else "4:4:4"
            pixels = saved(pixels, rng.integers(low, 97), colour)
    else:
        pixels = saved(pixels, 98, "4:4:4")
    crop = cut(Preprocess(size=SIZE).fit(pixels), SIZE, rng)
    return np.ascontiguousarray(crop[:, ::-1] if rng.random() < 0.5 else crop)


def autoencoder(folder):
    """A function that passes pixels through FLUX.2's tiny autoencoder."""
    sys.path.insert(0, str(folder))
    from taesd import Decoder, Encoder  # ty: ignore[unresolved-import]

    parts = []
    for build, name in ((Encoder, "taef2_encoder.pth"), (Decoder, "taef2_decoder.pth")):
        part = build(32, True).eval()
        part.load_state_dict(torch.load(Path(folder) / name, weights_only=True))
        parts.append(part)

    def passed(pixels):
        x = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float() / 255
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            x = parts[1](parts[0](x)).float()[0].clamp(0, 1)
        return (x * 255).round().byte().permute(1, 2, 0).numpy()

    return passed


@torch.no_grad()
def moments(model, crops):
    """Averaged maps (N, C) of crops."""
    tensor = Preprocess(size=SIZE, mean=(0.5,) * 3, std=(0.5,) * 3).tensor(np.stack(crops))
    return model.features(torch.from_numpy(tensor)).mean(dim=(2, 3))


def features(model, rows, folder, passed, pairs):
    """Features, and for each its label, source, style and whether it is half of a pair."""
    found, about, batch = [], [], []
    turns = np.random.default_rng(5).permutation(len(rows))
    for number, turn in enumerate(turns):
        row = rows[turn]
        rng = np.random.default_rng(zlib.crc32(row["path"].encode()))
        try:
            crops = stored_crops(folder / row["path"], rng)
        except Exception as error:  # one file in ten thousand: told, and left out
            print(f"left out {row['path']}: {error}", flush=True)
            continue
        for draw in range(DRAWS):
            batch.append(augmented(*crops[draw % 2], rng))
            about.append((row["label"], row["source"], row["style"], False, row["weight"]))
        pixels = crops[0][0]
        if passed and pairs and not row["label"] and min(pixels.shape[:2]) >= PAIR:
            pairs -= 1
            fake = passed(on_grid(pixels, PAIR, rng))
            for _ in range(2):
                batch.append(augmented(fake, True, rng))
                about.append((1, row["source"], "photo", True, 1.0))
        if len(batch) >= 64 or number == len(turns) - 1:
            found.append(moments(model, batch))
            batch = []
        if number % 500 == 0:
            print(f"{number} of {len(turns)} images", flush=True)
    return torch.cat([*found, moments(model, batch)] if batch else found), about


def weights(about):
    """Weight of every crop and its soft label."""
    labels, sources, styles, pairs, given = map(np.array, zip(*about, strict=True))
    weight, target = np.zeros(len(labels)), labels.astype(np.float64)
    for label in (0, 1):
        own = (labels == label) & ~pairs
        for source, count in Counter(sources[own]).items():
            rows = own & (sources == source)
            weight[rows] = count**0.35 / count
            if (styles[rows] == "art").mean() > 0.5:
                weight[rows] /= 2
        if label and pairs.any():
            weight[pairs] = weight[own].sum() * PAIR_SHARE / (1 - PAIR_SHARE) / pairs.sum()
        for source in set(sources[own]):
            rows = own & (sources == source)
            if (styles[rows] == "face").mean() > 0.5:
                weight[rows] *= FACTOR[label]
                target[rows] = SOFT[label]
    weight *= given
    weight[(labels == 1) & (styles == "photo")] *= PHOTO
    for label in (0, 1):
        weight[labels == label] /= weight[labels == label].sum()
    return torch.tensor(weight / weight.mean()).float(), torch.tensor(target).float()


def fit(head, maps, weight, target, *, steps=1400, batch=128, rate=2e-3):
    """Train the head; its running statistics are the training features' own, its weights a mean."""
    rooted = head._rooted(maps)
    head.norm.running_mean.copy_(rooted.mean(0))
    head.norm.running_var.copy_(rooted.var(0, unbiased=False))
    head.train()
    head.norm.eval()
    optimizer = torch.optim.AdamW(head.parameters(), rate, weight_decay=0.05)
    mean = [p.detach().clone() for p in head.parameters()]
    for step in range(steps):
        rows = torch.randint(len(maps), (batch,))
        for group in optimizer.param_groups:
            group["lr"] = rate * min(1, step / 100) * (1 + np.cos(np.pi * step / steps)) / 2
        smooth = target[rows] * 0.95 + 0.025
        loss = functional.binary_cross_entropy_with_logits(
            head(maps[rows][:, :, None, None]), smooth, weight=weight[rows]
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        for old, new in zip(mean, head.parameters(), strict=True):
            old.lerp_(new.detach(), 0.005 if step > 200 else 0.2)
    with torch.no_grad():
        for new, old in zip(head.parameters(), mean, strict=True):
            new.copy_(old)
    head.eval()


def built(width):
    """The frozen network under a new head with one hidden layer of ``width`` units."""
    return create(
        "layers", backbone="tf_efficientnet_lite0", pretrained=True, head_widths=[width],
        head_dropouts=[0.5],
    ).eval()  # fmt: skip


def averaged(one, other):
    """State of one head whose logit is the mean of both: hidden units side by side."""
    state = dict(one)
    for name, values in one.items():
        if name.startswith("hidden."):
            state[name] = torch.cat([values, other[name]])
        elif name == "out.weight":
            state[name] = torch.cat([values, other[name]], dim=1) / 2
        elif name == "out.bias":
            state[name] = (values + other[name]) / 2
    return state


def main() -> None:
    """Read the table, train, write the bundle."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("table", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--decoder", type=Path)
    parser.add_argument("--pairs", type=int, default=1400)
    parser.add_argument("--most", type=int, default=240)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    torch.manual_seed(given.seed)
    rows, count = [], Counter()
    for row in sorted(
        pq.read_table(given.table).to_pylist(), key=lambda r: zlib.crc32(r["path"].encode())
    ):
        key = row["source"], row["label"]
        if row["split"] == "train" and count[key] < given.most:
            count[key] += 1
            rows.append({"weight": 1.0, **row})
    one, other = built(WIDTH), built(WIDTH)
    passed = autoencoder(given.decoder) if given.decoder else None
    maps, about = features(one, rows, given.images, passed, given.pairs)
    for model in (one, other):
        fit(model.head, maps, *weights(about))
    model = built(2 * WIDTH)
    model.head.load_state_dict(averaged(one.head.state_dict(), other.head.state_dict()))
    preprocess = Preprocess(size=SIZE, max_crops=9, mean=(0.5,) * 3, std=(0.5,) * 3)
    save_bundle(model, given.out, name="layers", preprocess=preprocess)
    print(f"{len(rows)} images, {len(about)} crops: {given.out}")


if __name__ == "__main__":
    main()
