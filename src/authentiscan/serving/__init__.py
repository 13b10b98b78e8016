"""Where people and programs meet a detector: the web page (`app`) and the REST API."""
