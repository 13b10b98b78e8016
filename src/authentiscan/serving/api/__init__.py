"""The REST API: routes, keys, limits, jobs in SQLite, batches over concurrent requests.

Importing this room needs no extra; `app` and the routes need the ``api`` extra.
"""
