"""The configuration: short ones work, mistakes are told together, recipes are adapted."""

from __future__ import annotations

from pathlib import Path

import pytest

from authentiscan.core.errors import RecipeError
from authentiscan.pipeline.config import EXAMPLE, parse_config


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with something under the names the configurations below give."""
    monkeypatch.chdir(tmp_path)
    for name in ("GenImage", "140k-faces", "cifake.parquet", "web"):
        (tmp_path / name).mkdir()
    return tmp_path


def test_the_example_and_a_short_one_mean_the_same(place: Path) -> None:
    short = parse_config(
        "data:\n  genimage: GenImage\n  cifake: cifake.parquet\n  faces: 140k-faces\n"
    )
    long = parse_config(EXAMPLE.read_text(encoding="utf-8"))
    assert short.recipes() == long.recipes()
    recipes = short.recipes()
    assert list(recipes) == ["genimage_baseline", "cifake_baseline", "faces_baseline", "combined"]
    assert all(recipe.name == name for name, recipe in recipes.items())
    assert [(s.name, s.share) for s in recipes["combined"].data] == [
        ("genimage", 44), ("cifake", 18), ("faces", 38),
    ]  # fmt: skip
    assert recipes["combined"].checkpoint.every_epochs == 5
    assert recipes["faces_baseline"].checkpoint.every_steps == 200
    assert short.gradcam.samples == 20
    assert short.cross.protocols == ("raw", "matched")


def test_changes_nested_dotted_and_from_the_command_line(place: Path) -> None:
    config = parse_config(
        """\
data: {web: {path: web, where: {style: photo}}, cifake: cifake.parquet}
set: {optimizer: {lr: 0.5}, seed: 3}
baselines: {web: {recipe: quickstart, set: {optimizer.lr: 0.25, seed: 4}}}
combined: {shares: {web: 1, cifake: 2}}
""",
        changes=["gradcam.samples=3", "combined.set.batch_size=7"],
    )
    recipes = config.recipes()
    assert recipes["web_baseline"].optimizer.lr == 0.25
    assert recipes["web_baseline"].optimizer.weight_decay == 0.01, "neighbours stay"
    assert recipes["web_baseline"].seed == 4
    assert recipes["cifake_baseline"].seed == 3
    assert recipes["combined"].batch_size == 7
    assert config.gradcam.samples == 3
    assert config.data["web"].where == {"style": "photo"}


def test_one_data_set_has_no_combined_model(place: Path) -> None:
    assert list(parse_config("data: {cifake: cifake.parquet}").recipes()) == ["cifake_baseline"]
    two = parse_config("data: {cifake: cifake.parquet, faces: web}\ncombined: null")
    assert list(two.recipes()) == ["cifake_baseline", "faces_baseline"]


def test_all_mistakes_are_told_with_their_lines(place: Path) -> None:
    text = """\
output: out
data:
  web: web
  cifake: nowhere.parquet
  faces: 140k-faces
baselines:
  faces:
    set: {optimizer.rate: 1, seed: x}
  fases: {}
combined:
  shares: {web: 1, cifake: 2}
"""
    with pytest.raises(RecipeError) as caught:
        parse_config(text, "mine.yaml")
    told = str(caught.value)
    for expected in (
        "5 mistakes in the configuration mine.yaml",
        "line 4: data.cifake.path: there is no nowhere.parquet",
        "line 9: baselines.fases: no data set 'fases'; there are web, cifake, faces",
        "line 6: baselines.web: there is no recipe web-baseline; say which one",
        "line 7: baselines.faces: 2 mistakes in the recipe faces-baseline.yaml",
        "baselines.faces.set.optimizer.rate: unknown key",
        "baselines.faces.set.seed: input should be a valid integer",
        "line 10: combined: no share for faces; combined.shares gives one for each of",
    ):
        assert expected in told
    with pytest.raises(RecipeError) as caught:
        parse_config(
            "data:\n  web: {pat: web}\ncros: {}\ncross: {protocols: [blurred]}\n",
            changes=["gradcam.samples=0"],
        )
    told = str(caught.value)
    for expected in (
        "line 2: data.web.path: is missing",
        "line 2: data.web.pat: unknown key; did you mean 'path'?",
        "line 3: cros: unknown key; did you mean 'cross'?",
        "line 4: cross.protocols: protocol 'blurred' is none of",
        "--set gradcam.samples=0: input should be greater than or equal to 1",
    ):
        assert expected in told


def test_recipes_that_would_break_the_common_split_are_refused(place: Path) -> None:
    for change, reason in (
        ("split: {hold_out: [generator=x]}", "holds images out"),
        ("start: {bundle: b, sha256: s}", "starts from a bundle"),
    ):
        with pytest.raises(RecipeError, match=reason):
            parse_config(
                f"data: {{web: web}}\nbaselines: {{web: {{recipe: quickstart, set: {{{change}}}}}}}"
            )


@pytest.mark.parametrize("path", ["9" * 400, "~nobody-is-called-so/x", "a\\0b"])
def test_data_of_a_name_that_nothing_can_have_is_a_mistake_like_others(
    place: Path, path: str
) -> None:
    with pytest.raises(RecipeError, match=r"line 2: data.genimage.path: there is no "):
        parse_config(f'data:\n  genimage: "{path}"\n  cifake: cifake.parquet\n')
