"""Pure functions of scores and labels: ranking, intervals, tests, calibration, thresholds."""
