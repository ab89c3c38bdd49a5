"""One run: compose the configuration, build, measure, summarise.

python run.py decoder=ssd model=llada_tiny task=tiny_math
"""

from __future__ import annotations

import sys

import hydra
from omegaconf import DictConfig

from ssd.bench.comparison import Run, print_comparison

failures: list[str] = []
runs: list[Run] = []


@hydra.main(version_base="1.3", config_path="conf", config_name="config")
def main(config: DictConfig) -> None:
    from ssd.bench.plan import make_plan
    from ssd.bench.runner import run
    from ssd.bench.table import print_summary
    from ssd.tasks.sandbox.errors import SandboxError

    try:
        plan = make_plan(config)
        summary = run(plan)
    except (ValueError, OSError, FloatingPointError, SandboxError) as error:
        failures.append("; ".join([str(error), *getattr(error, "__notes__", [])]))
        print(f"error: {failures[-1]}", file=sys.stderr)
        return
    except KeyboardInterrupt:
        sys.exit("interrupted; the same line resumes where it stopped")
    runs.append(Run(plan.config, summary))
    print_summary(summary, summary["run_id"], plan.runtime.pass_at)
    print(f"samples and summary: {config.results_dir}/{summary['run_id']}")


if __name__ == "__main__":
    main()
    if len(runs) > 1:  # a grid
        print_comparison(runs)
    sys.exit(bool(failures))
