"""The bottom room: types, errors, safe decoding, preprocessing, manifests; imports no other."""
