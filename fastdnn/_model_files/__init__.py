"""Models in files without code, which any program can read and nobody has to trust."""
