"""Pages, pictures and tables: how results are shown."""
