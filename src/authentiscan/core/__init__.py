"""The bottom room: types, errors, safe decoding, preprocessing, manifests. Imports no other room."""
