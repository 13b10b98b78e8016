"""The documentation site: what the guides in docs/ are joined with, and how links are kept whole.

mkdocs calls `docs_hook.py` beside this folder. Everything here is made while the site is built and
nothing of it is committed.
"""
