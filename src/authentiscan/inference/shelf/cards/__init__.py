"""The catalogue: one YAML file a published detector, of facts with their sources."""
