"""One network for the generator: see README.md."""

from authentiscan.models.single.network import FrozenSingleNetwork, SingleNetwork

__all__ = ["FrozenSingleNetwork", "SingleNetwork"]
