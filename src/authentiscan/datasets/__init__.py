"""Data sets: known ones by name, downloading them, organizing any of them into one manifest."""
