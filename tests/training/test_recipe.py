"""Recipes: shipped ones are valid; mistakes are told together, each with its line."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from authentiscan.core.errors import RecipeError
from authentiscan.training.recipe import Phase, Recipe, portable, recipe_sha256
from authentiscan.training.recipe_file import dump_recipe, load_recipe, parse_recipe, shipped

SMALL = """\
name: small
model:
  name: residual
preprocess:
  size: 64
data:
  - name: toy
    path: toy
phases:
  - epochs: 2
"""


@pytest.mark.parametrize("name", sorted(shipped()))
def test_shipped_recipes_are_valid_and_survive_writing(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.name == name
    assert recipe.summary.endswith(".")
    assert parse_recipe(dump_recipe(recipe)) == recipe
    assert all(source.path is None for source in recipe.data), "shipped recipes name no folders"


def test_the_old_designs_are_shipped() -> None:
    assert {
        "cifake-baseline",
        "faces-baseline",
        "genimage-baseline",
        "combined",
        "truthpixel",
        "fake-image-detector",
        "resnet18-gradcam",
        "quickstart",
    } <= set(shipped())


def test_combined_is_the_designs_own() -> None:
    recipe = load_recipe("authentiscan/combined")
    assert [(s.name, s.share) for s in recipe.data] == [
        ("genimage", 44),
        ("cifake", 18),
        ("faces", 38),
    ]
    assert [phase.trained for phase in recipe.phases] == ["head", "last 20"]
    assert recipe.phases[0].epochs == 5
    assert recipe.checkpoint.every_epochs == 5


def test_truthpixel_is_the_designs_own() -> None:
    recipe = load_recipe("truthpixel")
    assert [(p.epochs, p.trained, p.lr) for p in recipe.phases] == [
        (10, "head", 1e-3),
        (10, "last 20", 1e-4),
    ]
    assert recipe.optimizer.name == "adam"
    assert recipe.optimizer.head_l2 == 0.01
    assert recipe.early_stopping is not None
    assert recipe.early_stopping.patience == 5
    assert recipe.scheduler.name == "plateau"
    assert (recipe.augment.rotation, recipe.augment.zoom) == (15, (0.8, 1.2))
    assert recipe.augment.brightness == 0.2
    assert recipe.split.fractions == (0.7, 0.15, 0.15)
    assert recipe.model.arguments["head_widths"] == [256, 128]
    assert recipe.model.arguments["head_dropouts"] == [0.5, 0.3]


def test_all_mistakes_are_told_with_their_lines() -> None:
    text = """\
name: bad name
model: {name: residual}
preprocess:
  size: 4
  sise: 64
data:
  - name: a
    share: 3
  - name: b
phases:
  - epochs: 0
    trained: last twenty
optimiser:
  lr: 1
batch_size: 8
"""
    with pytest.raises(RecipeError) as caught:
        parse_recipe(text, "mine.yaml")
    message = str(caught.value)
    for expected in (
        "6 mistakes in the recipe mine.yaml",
        "line 1: name: string should match pattern",
        "line 4: preprocess.size: input should be greater than or equal to 8, got 4",
        "line 5: preprocess.sise: unknown key; did you mean 'size'?",
        "line 11: phases.0.epochs: input should be greater than or equal to 1, got 0",
        "line 12: phases.0.trained: trained is 'all', 'head' or 'last N' with N >= 1, got 'last t",
        "line 13: optimiser: unknown key; did you mean 'optimizer'?",
    ):
        assert expected in message
    assert caught.value.exit_code == 2


def test_a_key_that_stands_twice_is_told_with_both_lines() -> None:
    with pytest.raises(RecipeError, match=r"line 2: the key 'name' stands twice, first in line 1"):
        parse_recipe("name: a\nname: b\n", "mine.yaml")


def test_missing_parts_and_rules_between_fields_are_told() -> None:
    with pytest.raises(RecipeError, match=r"model: is missing"):
        parse_recipe("name: a\npreprocess: {size: 64}\ndata: [{name: a}]\nphases: [{epochs: 1}]\n")
    with pytest.raises(RecipeError, match="every data set has a share or none has"):
        parse_recipe(SMALL.replace("    path: toy\n", "    share: 1\n  - name: b\n"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a recipe is a mapping"),
        ("- a\n- b\n", "a recipe is a mapping"),
        ("name: [1,\n", "line 2: not readable as YAML"),
        ("name: !!python/object/apply:os.system [ls]\n", "line 1: not readable as YAML"),
    ],
)
def test_what_is_no_recipe_is_refused(text: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        parse_recipe(text)


def test_changes_are_typed_like_the_file() -> None:
    recipe = parse_recipe(
        SMALL,
        changes=[
            "optimizer.lr=1e-4",
            "phases.0.trained=last 3",
            "early_stopping.patience=2",
            "model.arguments.widths=[8, 16]",
            "gradient_clip=null",
        ],
    )
    assert recipe.optimizer.lr == 1e-4
    assert recipe.phases[0].last_layers == 3
    assert recipe.early_stopping is not None
    assert recipe.early_stopping.patience == 2
    assert recipe.model.arguments == {"widths": [8, 16]}


def test_the_old_name_of_the_protocol_is_read() -> None:
    old = SMALL + "deployment: {treatment: history}\n"
    new = SMALL + "deployment: {protocol: history}\n"
    assert parse_recipe(old) == parse_recipe(new)
    for text, change in ((old, "protocol"), (new, "treatment"), (old, "treatment")):
        changed = parse_recipe(text, changes=[f"deployment.{change}=matched"])
        assert changed.deployment.protocol == "matched", "the change holds, not the file"


def test_mistakes_in_changes_name_the_change() -> None:
    with pytest.raises(RecipeError) as caught:
        parse_recipe(
            SMALL,
            changes=["optimizer.lr=fast", "optimizer.rate=1", "phases.7.lr=1", "name.x=1", "seed"],
        )
    message = str(caught.value)
    for expected in (
        "--set optimizer.lr=fast: input should be a valid number",
        "--set optimizer.rate=1: unknown key",
        "--set phases.7.lr=1: phases is a list of 1",
        "--set seed: expected key=value",
    ):
        assert expected in message


def test_an_unknown_recipe_names_the_shipped_ones(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="did you mean 'truthpixel'"):
        load_recipe("truthpixl")


def test_hash_is_of_what_decides_the_result() -> None:
    recipe = parse_recipe(SMALL)
    same = parse_recipe(SMALL.replace("path: toy", "path: /elsewhere/toy") + "workers: 7\n")
    other = parse_recipe(SMALL + "seed: 1\n")
    assert recipe_sha256(recipe) == recipe_sha256(same)
    assert recipe_sha256(recipe) != recipe_sha256(other)
    assert portable(same)["data"][0]["path"] == "toy"


def test_recipes_are_frozen() -> None:
    recipe = parse_recipe(SMALL)
    with pytest.raises(ValidationError):
        recipe.seed = 3  # type: ignore[misc]


def test_last_layers() -> None:
    assert Phase(epochs=1, trained="all").last_layers is None
    assert Phase(epochs=1, trained="head").last_layers == 0
    assert Phase(epochs=1, trained="last 20").last_layers == 20


@given(text=st.text(max_size=60))
def test_any_text_is_a_recipe_or_a_recipe_error(text: str) -> None:
    try:
        recipe = parse_recipe(text)
    except RecipeError:
        return
    assert isinstance(recipe, Recipe)


def test_a_name_too_long_for_any_file_is_no_recipe() -> None:
    with pytest.raises(RecipeError, match="neither a file nor a shipped recipe"):
        load_recipe("9" * 5000)
