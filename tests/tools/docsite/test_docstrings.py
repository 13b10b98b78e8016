"""Docstrings as this project writes them become readable Markdown."""

from __future__ import annotations

from docsite.docstrings import markdown


def test_fields_become_a_list() -> None:
    text = "The answer.\n\nscores: (N,) float, in [0, 1];\n    higher is worse\nlow, high: bounds."
    assert markdown(text) == (
        "The answer.\n\n* `scores`: (N,) float, in [0, 1];\n    higher is worse\n"
        "* `low`, `high`: bounds."
    )


def test_fields_after_a_sentence_get_a_list_of_their_own() -> None:
    assert markdown("Measures it.\nseed: draws.") == "Measures it.\n\n* `seed`: draws."


def test_examples_become_code_and_stay_together() -> None:
    text = "Use it.\n\nfrom x import Client\n\nwith Client() as c:\n    print(c)\n\nIt closes."
    assert markdown(text) == (
        "Use it.\n\n```python\nfrom x import Client\n\nwith Client() as c:\n    print(c)\n```"
        "\n\nIt closes."
    )


def test_prose_stays_as_it_is() -> None:
    for text in ("Whether a known generator fits.", "x", "A score: see below.\n\nTwo lines\nhere."):
        assert markdown(text) == text
