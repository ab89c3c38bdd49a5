"""The parts of `scripts/train_tiny.py`: tokenizer, batches, optimiser, models, evaluation, export."""
