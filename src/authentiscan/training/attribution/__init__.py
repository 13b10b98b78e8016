"""Training attributors: which generator made an image. See `run.train_attributor`."""
