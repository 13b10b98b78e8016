"""Architectures by name: `create(name, **arguments)` gives an `ImageClassifier`.

Importing this room costs nothing: torch and timm are loaded by the first `create`.
"""

from authentiscan.models.registry import create, names, parameters, register, summary

__all__ = ["create", "names", "parameters", "register", "summary"]
