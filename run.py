"""One run: compose the configuration, build, measure, summarise. With -m a grid of them.

python run.py decoder=ssd model=llada_tiny task=tiny_math
"""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig

CONFIGURATION = Path(__file__).resolve().parent / "conf"
INTERRUPTED = 130
failures: list[str] = []
begun: set[str] = set()
"""The ids of this process's runs."""


@hydra.main(version_base="1.3", config_path="conf", config_name="config")
def main(config: DictConfig) -> str | None:
    """A single run, or one job of a grid: whatever goes wrong is told in one line, returned, and stops no others."""
    from ssd.campaign.callback import is_in_turn
    from ssd.campaign.dispatch import run
    from ssd.campaign.workers.sweep import SWEEP
    from ssd.config.plan import make_plan
    from ssd.config.tracker import tell
    from ssd.report.console.run_table import print_summary
    from ssd.results.store import RunFolder
    from ssd.run.failures import EXPECTED, keep_traceback, line_of

    in_grid, plan = HydraConfig.get().mode == RunMode.MULTIRUN, None
    try:
        plan = make_plan(config)
        folder = RunFolder(plan.results_dir, plan.config)
        if in_grid and folder.run_id in begun:  # the same run in other words
            plan.task.close()
            return None
        begun.add(folder.run_id)
        if in_grid and folder.is_done and not config.overwrite:
            plan.task.close()  # the grid's table has it
        elif in_grid and not plan.runtime.in_process and is_in_turn(HydraConfig.get()):
            SWEEP.submit(plan)  # all runs of the grid share their workers, until its end
            return None
        else:
            summary = run(plan)
            print_summary(summary, summary["run_id"], plan.runtime.pass_at)
            print(f"samples and summary: {config.results_dir}/{summary['run_id']}")
        tell(plan.tracker, folder.path)
    except KeyboardInterrupt:
        SWEEP.close()
        raise
    except Exception as error:
        keep_traceback(error, plan, in_grid)
        if not isinstance(error, EXPECTED) and not hasattr(error, "__notes__"):  # no error.json has it
            traceback.print_exc()
        failures.append(line_of(error))
        print(f"error: {failures[-1]}", file=sys.stderr)
        return failures[-1]
    return None


if __name__ == "__main__":
    shown_by_hydra = "HYDRA_FULL_ERROR" in os.environ
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")  # raise what is wrong with the command line, instead of printing it
    try:
        main()
    except KeyboardInterrupt:
        print("interrupted; the same line resumes where it stopped", file=sys.stderr)
        sys.exit(INTERRUPTED)
    except HydraException as error:
        from ssd.config.command_line import explain

        if shown_by_hydra:
            raise
        sys.exit(f"error: {explain(error, sys.argv[1:], CONFIGURATION)}")
    sys.exit(int(bool(failures)))
