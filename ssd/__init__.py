"""SSD: lossless speculative decoding of masked diffusion language models, and the benchmark around it."""
