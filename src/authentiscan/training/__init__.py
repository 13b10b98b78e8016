"""Training: a recipe in, a calibrated bundle out. See `authentiscan.training.run.train`."""
