"""The Python API: load a model, decode, compare decoders, start runs and read their results."""
