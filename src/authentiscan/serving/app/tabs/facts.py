"""Facts of the file and of its pixels."""

from __future__ import annotations

from authentiscan.serving.app.html import pairs
from authentiscan.serving.app.tabs.shown import Shown


def show(shown: Shown) -> None:
    """Format, size, encoding, checksum."""
    image = shown.report.image
    if image is None:
        return
    rows: list[tuple[str, object]] = [
        ("File", shown.upload.name),
        ("Format", image.format),
        ("Width × height", f"{image.width} × {image.height} pixels"),
        ("Megapixels", f"{image.width * image.height / 1e6:.2f}"),
        ("File size", f"{image.bytes:,} bytes"),
        ("SHA-256", image.sha256),
    ]
    if image.jpeg_quality is not None:
        rows.append(("JPEG quality", f"about {image.jpeg_quality}"))
    if image.jpeg_subsampling is not None:
        rows.append(("JPEG colour subsampling", image.jpeg_subsampling))
    rows += [
        ("Turned by its EXIF orientation", "yes" if image.orientation_applied else "no"),
        ("Frames", f"{image.frames}; the first is judged" if image.frames > 1 else "1"),
        ("Transparency", "yes, laid over white" if image.has_alpha else "no"),
        ("Colour profile", image.colour_profile or "none"),
    ]
    pairs(rows, "Facts of the file")
