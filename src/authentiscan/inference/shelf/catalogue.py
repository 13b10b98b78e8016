"""All cards: those in the package, and those of one's own on the shelf."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from pydantic import ValidationError

from authentiscan.core.errors import MissingExtraError, RecipeError, UsageError
from authentiscan.core.records import mistakes
from authentiscan.inference.shelf.card import Card
from authentiscan.inference.shelf.place import shelf_folder

OWN_CARD = "card.yaml"


def card_names() -> list[str]:
    """Every detector with a card, the package's and one's own, in alphabetical order."""
    return sorted(_places())


def read_card(name: str) -> Card:
    """The card of ``name``. Raises UsageError for another name, MissingExtraError without YAML."""
    places = _places()
    if name not in places:
        raise UsageError(f"the shelf has no {name!r}; it has: {', '.join(sorted(places))}")
    return card_of(places[name])


def card_of(path: Path) -> Card:
    """The card in a YAML file; UsageError where it is none, with every mistake."""
    try:
        from authentiscan.core import bounded_yaml
    except ModuleNotFoundError as error:
        raise MissingExtraError("the shelf", "shelf") from error
    try:
        _, values = bounded_yaml.parse(path.read_text(encoding="utf-8"))
        return Card.model_validate(values)
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read as a text file") from error
    except RecipeError as error:
        raise UsageError(f"{path}: {error}") from error
    except ValidationError as error:
        raise UsageError(f"{path} is no card of a detector: {mistakes(error)}") from error


def _places() -> dict[str, Path]:
    packaged = Path(str(resources.files("authentiscan.inference.shelf.cards")))
    found = {path.stem: path for path in packaged.glob("*.yaml")}
    shelf = shelf_folder()
    own = shelf.glob(f"*/{OWN_CARD}") if shelf is not None and shelf.is_dir() else ()
    return {path.parent.name: path for path in own} | found
