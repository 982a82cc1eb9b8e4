"""Networks fitted to a chip's samples."""
