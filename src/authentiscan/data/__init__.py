"""Data sets: get them, organize them, check them, degrade and load them."""
