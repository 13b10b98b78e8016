"""Measuring detectors: metrics, intervals, protocols, calibration, comparison, reports.

Everything reads scores; nothing here knows how a detector was trained.
"""
