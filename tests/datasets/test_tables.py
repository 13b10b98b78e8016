"""Tables and lists: which column means what."""

from __future__ import annotations

import csv
import tempfile
from contextlib import suppress
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authentiscan.core.errors import DatasetError
from authentiscan.datasets.facts import Entry, Failure
from authentiscan.datasets.tables import table_chunks
from authentiscan.images.decode import encode

Photos = dict[str, np.ndarray]


@pytest.fixture
def image(photos: Photos) -> bytes:
    return encode(photos["chelsea"][:32, :32], "JPEG")


def entries(path: Path, **options: object) -> list[Entry | Failure]:
    chunks = table_chunks(path, path.parent, "mine", **options)  # type: ignore[arg-type]
    return [entry for chunk in chunks for entry in chunk.entries()]


def write(path: Path, **columns: object) -> Path:
    pq.write_table(pa.table(columns), path, row_group_size=2)
    return path


def test_rows_are_numbered_over_row_groups(tmp_path: Path, image: bytes) -> None:
    path = write(tmp_path / "t.parquet", image=[image] * 5, label=[0, 1, 0, 1, 1])
    found = entries(path)
    assert [e.row for e in found] == [0, 1, 2, 3, 4]
    assert [e.path for e in found] == ["t.parquet"] * 5
    assert all(isinstance(e, Entry) and e.data == image for e in found)
    assert {e.generator for e in found if isinstance(e, Entry)} == {"unknown"}


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (["real", "fake"], [0, 1]),
        (["REAL", "FAKE"], [0, 1]),
        (["nature", "ai"], [0, 1]),
        ([False, True], [0, 1]),
        (["0", "1"], [0, 1]),
    ],
)
def test_label_words(tmp_path: Path, image: bytes, labels: list[object], expected) -> None:
    path = write(tmp_path / "t.parquet", image=[image] * 2, label=labels)
    assert [e.label for e in entries(path) if isinstance(e, Entry)] == expected


def test_strange_labels_need_telling(tmp_path: Path, image: bytes) -> None:
    path = write(tmp_path / "t.parquet", image=[image] * 2, label=["dalle", "coco"])
    with pytest.raises(DatasetError, match="--label 'dalle=real'"):
        entries(path)
    found = entries(path, labels={"dalle": 1, "coco": 0})
    assert [e.label for e in found if isinstance(e, Entry)] == [1, 0]


def test_rows_without_image_or_label_are_reported(tmp_path: Path, image: bytes) -> None:
    path = write(tmp_path / "t.parquet", image=[image, None, image], label=[None, 1, 1])
    first, second, third = entries(path)
    assert isinstance(first, Failure)
    assert isinstance(second, Entry)
    assert "no image" in str(second.data)
    assert isinstance(third, Entry)
    assert third.row == 2


def test_own_columns_are_kept_and_claimed_facts_dropped(tmp_path: Path, image: bytes) -> None:
    path = write(
        tmp_path / "t.parquet",
        image=[image],
        label=[0],
        width=[9999],
        format=["PNG"],
        style=["photo"],
        source_width=[1024],
        embedding=[[0.1, 0.2]],
    )
    (entry,) = entries(path)
    assert isinstance(entry, Entry)
    assert entry.extras == {"source_format": "PNG", "style": "photo", "source_width": 1024}


def test_dictionary_columns_read_as_their_values(tmp_path: Path, image: bytes) -> None:
    names = pa.array(["camera", "sd"]).dictionary_encode()
    path = write(tmp_path / "t.parquet", image=[image] * 2, label=[0, 1], generator=names)
    assert [e.generator for e in entries(path) if isinstance(e, Entry)] == ["camera", "sd"]


def test_missing_columns_are_named(tmp_path: Path, image: bytes) -> None:
    path = write(tmp_path / "t.parquet", image=[image], kind=["x"])
    with pytest.raises(DatasetError, match=r"label: one of label.*it has image, kind"):
        entries(path)
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 no table")
    with pytest.raises(DatasetError, match="no readable Parquet"):
        entries(tmp_path / "broken.parquet")


def test_csv_with_paths_from_its_own_folder(tmp_path: Path, image: bytes) -> None:
    (tmp_path / "a.jpg").write_bytes(image)
    listing = tmp_path / "list.csv"
    listing.write_text(
        "file_name,label,model,license,note\n"
        "a.jpg,fake,flux,CC0,ok\n"
        "missing.jpg,real,,,\n"
        ",real,,,\n",
        encoding="utf-8-sig",
    )
    first, second, third = entries(listing)
    assert isinstance(first, Entry)
    assert (first.generator, first.licence, first.extras["note"]) == ("flux", "CC0", "ok")
    assert first.data == image
    assert isinstance(second, Entry)
    assert isinstance(second.data, Exception)
    assert isinstance(third, Failure)


def test_damaged_row_group_loses_its_rows_only(tmp_path: Path, photos: Photos) -> None:
    images = [encode(photos["chelsea"][i : i + 32, :32], "PNG") for i in range(6)]
    path = write(tmp_path / "t.parquet", image=images, label=[0, 1] * 3)
    column = pq.ParquetFile(path).metadata.row_group(1).column(0)
    data = bytearray(path.read_bytes())
    start = column.dictionary_page_offset or column.data_page_offset
    data[start : start + 60] = b"\xff" * 60
    path.write_bytes(data)
    found = entries(path)
    assert [e.row for e in found] == list(range(6))
    assert [isinstance(e, Failure) for e in found] == [False, False, True, True, False, False]


@given(cells=st.lists(st.tuples(st.text(max_size=8), st.text(max_size=4)), max_size=5))
@settings(deadline=None, max_examples=50)
def test_any_csv_gives_entries_failures_or_one_clear_error(cells) -> None:
    with tempfile.TemporaryDirectory() as place:
        listing = Path(place) / "list.csv"
        with listing.open("w", newline="", encoding="utf-8", errors="replace") as out:
            csv.writer(out).writerows(
                [("path", "label", "row"), *((p, "real", r) for p, r in cells)]
            )
        with suppress(DatasetError):
            assert all(isinstance(e, Entry | Failure) for e in entries(listing))


def test_csv_that_is_no_text(tmp_path: Path) -> None:
    listing = tmp_path / "list.csv"
    listing.write_bytes(b"path,label\n\xff\xfe\xff,real\n")
    with pytest.raises(
        DatasetError, match="is no text in UTF-8 or UTF-16; save it as CSV in UTF-8"
    ):
        entries(listing)


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (",path,label\n0,a.jpg,real\n", "utf-8"),  # pandas' index
        ("path,label,\na.jpg,real,\n", "utf-8-sig"),
        ("path,label\na.jpg,real,surplus\n", "utf-8"),
        ("path;label\r\na.jpg;real\r\n", "utf-8"),  # Excel, where the comma is a decimal point
        ("path\tlabel\na.jpg\treal\n", "utf-16"),  # Excel's "Unicode text"
        ("path,label\n.\\a.jpg,real\n", "utf-16"),
        ("path,label,note\n\na.jpg,real\n", "utf-8"),
    ],
)
def test_lists_as_other_programs_write_them(
    tmp_path: Path, image: bytes, text: str, encoding: str
) -> None:
    (tmp_path / "a.jpg").write_bytes(image)
    (tmp_path / "list.csv").write_bytes(text.encode(encoding))
    (entry,) = entries(tmp_path / "list.csv")
    assert isinstance(entry, Entry)
    assert (entry.label, entry.data) == (0, image)


def test_hub_shard_names_give_the_split(tmp_path: Path, image: bytes) -> None:
    path = write(tmp_path / "validation-00000-of-00001.parquet", image=[image], label=[0])
    (entry,) = entries(path)
    assert isinstance(entry, Entry)
    assert entry.split == "val"
