"""Images: safe decoding, what their containers hold, the preprocessing contract, degradations."""
