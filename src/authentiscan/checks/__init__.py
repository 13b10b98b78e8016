"""Checks of a manifest before anyone trains on it: verify, audit, duplicates."""
