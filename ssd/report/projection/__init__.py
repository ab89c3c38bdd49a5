"""What counted forwards would cost on named GPUs: a roofline, never a measurement."""
