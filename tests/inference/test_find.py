"""One resolver: whatever names a detector anywhere is found here, or told what there is."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from authentiscan.core.errors import BundleNotFoundError
from authentiscan.inference import (
    NetworkSpec,
    default_bundle,
    find_bundle,
    load_detector,
    read_spec,
)
from authentiscan.inference.spec import members_of


@pytest.fixture
def runs(tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a finished run `a`, an unfinished one `b`, and a plain folder."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(tiny_bundle, tmp_path / "runs" / "a" / "bundle")
    (tmp_path / "runs" / "b").mkdir()
    (tmp_path / "runs" / "b" / "recipe.yaml").write_text("name: b\n")
    (tmp_path / "plain").mkdir()
    return tmp_path / "runs"


@pytest.mark.parametrize(
    "given",
    ["a", "runs/a", "runs/a/", "runs/a/bundle", "a/bundle", "runs/a/bundle/detector.json"],
)
def test_a_run_or_its_bundle_is_found_by_folder_and_by_name(runs: Path, given: str) -> None:
    assert find_bundle(given).resolve() == (runs / "a" / "bundle").resolve()


def test_absolute_paths_and_path_objects_too(runs: Path) -> None:
    assert find_bundle(runs / "a") == runs / "a" / "bundle"
    assert find_bundle(str(runs / "a" / "bundle")) == runs / "a" / "bundle"


@pytest.mark.parametrize("given", [None, "default"])
def test_default_is_the_packaged_one_even_beside_a_folder_of_that_name(
    runs: Path, tiny_bundle: Path, given: str | None
) -> None:
    shutil.copytree(tiny_bundle, "default")
    assert find_bundle(given) == default_bundle()
    assert find_bundle("./default").resolve() != default_bundle()


def test_a_folder_here_comes_before_a_run_of_that_name(runs: Path, tiny_bundle: Path) -> None:
    shutil.copytree(tiny_bundle, "a")
    assert find_bundle("a") == Path("a")


def test_what_is_missing_is_told_with_what_there_is(runs: Path) -> None:
    with pytest.raises(BundleNotFoundError, match=r"no detector 'none'.* one of default, a$"):
        find_bundle("none")


def test_an_unfinished_run_says_how_to_finish_it(runs: Path) -> None:
    with pytest.raises(BundleNotFoundError, match="train --resume runs/b"):
        find_bundle("runs/b")


def test_a_plain_folder_says_what_it_lacks(runs: Path) -> None:
    with pytest.raises(BundleNotFoundError, match=r"plain is no detector.*detector\.json"):
        find_bundle("plain")


def test_a_missing_bundle_ends_a_command_with_2() -> None:
    assert BundleNotFoundError.exit_code == 2


def test_python_understands_the_same_names(runs: Path) -> None:
    assert load_detector("a").spec == load_detector("runs/a/bundle").spec


def test_a_member_is_named_behind_its_ensemble():
    for name in members_of(read_spec(default_bundle(), verify=False)):
        found = find_bundle(f"default/{name}")
        assert found.name == name.rpartition("/")[2]
        assert isinstance(read_spec(found), NetworkSpec)
    with pytest.raises(BundleNotFoundError, match="default/nobody"):
        find_bundle("default/nobody")
