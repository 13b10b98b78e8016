"""The table of images: reading, splitting and selecting it; where its images lie."""
