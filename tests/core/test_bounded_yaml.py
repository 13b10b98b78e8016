"""YAML of strangers: alias bombs, documents that contain themselves, depth, size."""

from __future__ import annotations

import time

import pytest

from authentiscan.core import bounded_yaml
from authentiscan.core.errors import RecipeError
from authentiscan.pipeline.config import load_config
from authentiscan.training.recipe_file import load_recipe
from authentiscan.training.settings_file import Change


def bomb(levels: int = 12, width: int = 9) -> str:
    lines = ["a0: &a0 [" + ",".join("x" * width) + "]"]
    for k in range(1, levels):
        lines.append(f"a{k}: &a{k} [" + ",".join([f"*a{k - 1}"] * width) + "]")
    return "\n".join(lines) + "\n"


HOSTILE = {
    "a list of lists of lists": (bomb(), "stands for more than"),
    "mappings of mappings": (
        "a: &a {k: 1, l: 2}\n"
        + "".join(
            f"{c}: &{c} {{x: *{p}, y: *{p}, z: *{p}}}\n"
            for p, c in zip("abcdefghijklm", "bcdefghijklmn", strict=True)
        ),
        "stands for more than",
    ),
    "merged mappings": (
        "a: &a {k: 1}\n"
        + "".join(
            f"{c}: &{c} {{<<: [*{p}, *{p}, *{p}, *{p}]}}\n"
            for p, c in zip("abcdefghij", "bcdefghijk", strict=True)
        ),
        "stands for more than",
    ),
    "a mapping in itself": ("m: &m\n  self: *m\n", "contains itself"),
    "a list in itself": ("&l [1, *l]\n", "contains itself"),
    "merged into itself": ("&a {<<: *a}\n", "contains itself"),
    "deep brackets": ("a: " + "[" * 50_000, "nested more than"),
    "deep mappings": ("{a: " * 50_000, "nested more than"),
    "deep blocks": ("".join(" " * k + "a:\n" for k in range(200)), "nested more than"),
    "a date that cannot be": ("a: 2020-13-45\n", "month"),
    "a number without end": ("a: " + "9" * 5000 + "\n", "digits"),
    "a hexadecimal number without end": ("a: 0x" + "f" * 5000 + "\n", "digits"),
    "a number of sixties without end": ("a: " + "1:" * 3000 + "1\n", "digits"),
    "a key that stands twice": ("seed: 1\nname: x\nseed: 2\n", "line 3: the key 'seed' stands"),
    "a key twice in a list": ("a: [{b: 1, b: 2}]\n", "the key 'b' stands twice"),
    "a letter beyond Unicode": ('a: "\\UFFFFFFFF"\n', "an escape of no character"),
    "a tag that does not fit": ("a: !!timestamp x\n", "not of the kind it says"),
    "a list as key": ("? [a, b]\n: 1\n", "key"),
    "an object": ("x: !!python/object:os.system {}\n", "could not determine"),
    "two documents": ("a: 1\n---\nb: 2\n", "found another document"),
}


@pytest.mark.parametrize("text", ["a: " + "9" * 5000 + "\n", "a: \x01\n", "a: [1\n", "a: \ud800\n"])
def test_one_line_for_people(text: str) -> None:
    with pytest.raises(RecipeError) as caught:
        bounded_yaml.parse(text)
    said = str(caught.value)
    assert len(said.splitlines()) == 1
    assert "sys." not in said
    assert "unicode string" not in said


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_documents_are_refused_at_once(name: str, tmp_path) -> None:
    text, message = HOSTILE[name]
    path = tmp_path / "recipe.yaml"
    path.write_text(text)
    started = time.process_time()
    with pytest.raises(RecipeError, match=message) as caught:
        load_recipe(path)
    assert "recipe.yaml" in str(caught.value)
    assert "object at 0x" not in str(caught.value)
    with pytest.raises(RecipeError, match=message):
        load_config(path)
    assert time.process_time() - started < 10


def test_a_large_document_is_refused(tmp_path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text("a: " + "x" * (bounded_yaml.MOST_BYTES + 10))
    with pytest.raises(RecipeError, match="larger than 1 MB"):
        load_recipe(path)


def test_a_value_of_set_is_bounded_too() -> None:
    with pytest.raises(RecipeError, match=r"--set a=.*contains itself"):
        Change.parse("a=&a [*a]")


def test_a_few_aliases_are_welcome() -> None:
    node, values = bounded_yaml.parse("a: &a {k: [1, 2]}\nb: *a\nc: {<<: *a, l: 3}\n")
    assert node is not None
    assert values == {"a": {"k": [1, 2]}, "b": {"k": [1, 2]}, "c": {"k": [1, 2], "l": 3}}
