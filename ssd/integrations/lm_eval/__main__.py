"""lm-eval's command line with one more model, `ssd`: a dLLM with one of our decoders.

python -m ssd.integrations.lm_eval --model ssd --model_args model=llada,decoder=ssd --tasks gsm8k --limit 50
"""

from __future__ import annotations

import sys
from importlib.util import find_spec

from ssd.tasks.rows import go_offline_if_unreachable


def main() -> None:
    """Run lm-eval's command line, then print the decoding figures of each model. Print errors in one line."""
    for name, extra in (("lm_eval", "tasks"), ("hydra", "run")):
        if find_spec(name) is None:
            sys.exit(f'error: {name} is not installed; pip install "ssd-benchmark[{extra}]"')
    from lm_eval.__main__ import cli_evaluate

    from ssd.integrations.lm_eval.figures import print_decoding
    from ssd.integrations.lm_eval.model import DecoderModel

    go_offline_if_unreachable()
    try:
        cli_evaluate()
    except (ValueError, OSError) as error:
        remedy = "; a task over local files needs no Hub: docs/tasks.md" if isinstance(error, ConnectionError) else ""
        sys.exit(f"error: {' '.join(str(error).split())}{remedy}")
    for model in DecoderModel.made:
        print_decoding(model.decoding(), model.from_cache)


if __name__ == "__main__":
    main()
