"""`ssd-bench run`: compose the configuration, build, measure, summarise; with -m a grid of runs."""

from __future__ import annotations

import os
import sys
import traceback
from typing import TYPE_CHECKING, cast

from ssd.config.words import check_each_word
from ssd.extras import extra
from ssd.paths import CONF, IS_INSTALLED, OWN_VARIABLE, SHOWS_TRACEBACKS
from ssd.version import version_line

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from ssd.config.plan import Plan

GRID = ("-m", "--multirun")
COMPLETION = ("-sc", "--shell-completion")
INTERRUPTED = 130
failures: list[str] = []
"""Error messages of this process's runs."""
begun: set[str] = set()
"""Ids of this process's runs."""


def main() -> int:
    """Measure what the command line (sys.argv) asks; return the exit status."""
    from ssd.config.model_words import plain_words

    try:
        words = plain_words(sorted(sys.argv[1:], key=lambda word: word not in GRID))  # Hydra wants -m in front
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")
    sys.argv[1:] = words
    if {"-h", "--help"} & set(words):
        from ssd.config.help import describe

        print(describe(words))
        return 0
    if "--version" in words:
        print(version_line())
        return 0
    check_each_word(words)
    with extra("run"):
        import hydra
        from hydra.errors import HydraException

        from ssd.campaign.sweep_jobs import hold_back, task_words
        from ssd.config.command_line import check_words, explain
    check_words(words)
    if set(COMPLETION) & set(words):
        _prepare_completion()
    failures.clear()
    begun.clear()
    task_words.clear()
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())  # a user's own decoders and tasks
    if not SHOWS_TRACEBACKS:
        os.environ[OWN_VARIABLE] = "1"
    os.environ["HYDRA_FULL_ERROR"] = "1"  # raise what is wrong with the command line, instead of printing it
    try:
        if set(GRID) & set(words):
            sys.argv[1:] = hold_back(words)
        hydra.main(version_base="1.3", config_path=str(CONF), config_name="config")(job)()
    except KeyboardInterrupt:
        print("interrupted; the same line resumes where it stopped", file=sys.stderr)
        return INTERRUPTED
    except HydraException as error:
        if SHOWS_TRACEBACKS:
            raise
        sys.exit(f"error: {explain(error, words)}")
    return int(bool(failures))


def _prepare_completion() -> None:
    """Let Hydra's script complete the command as users type it: `python run.py`, or `ssd-bench run` once installed."""
    sys.argv[0] = "ssd-bench" if IS_INSTALLED else "run.py"
    if "COMP_LINE" in os.environ:
        os.environ["COMP_LINE"] = os.environ["COMP_LINE"].replace("ssd-bench run ", "ssd-bench ", 1)


def job(config: DictConfig) -> str | None:
    """Make a single run, or one run of a grid. Return an error in one line; other runs of a grid go on."""
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode

    from ssd.campaign.dispatch import SWEEP
    from ssd.config.plan import make_plan
    from ssd.run.failures import EXPECTED, keep_traceback, line_of

    hydra_config = cast("DictConfig", HydraConfig.get())
    in_grid = hydra_config.mode == RunMode.MULTIRUN
    plan: Plan | None = None
    try:
        plan = make_plan(config)
        _carry_out(plan, in_grid, hydra_config)
    except KeyboardInterrupt:
        SWEEP.close()
        raise
    except Exception as error:
        keep_traceback(error, plan, in_grid)
        is_kept = isinstance(error, EXPECTED) or hasattr(error, "__notes__")  # in its message, or in error.json
        if SHOWS_TRACEBACKS or not is_kept:
            traceback.print_exc()
        line = line_of(error)
        if line not in failures:  # one mistake may concern every run of a grid
            print(f"error: {line}", file=sys.stderr)
        failures.append(line)
        return line
    return None


def _carry_out(plan: Plan, in_grid: bool, hydra_config: DictConfig) -> None:
    """Measure a plan, or give it to the grid's workers, unless it is done; then log it."""
    from ssd.campaign.callback import is_in_turn
    from ssd.campaign.dispatch import SWEEP, run
    from ssd.config.tracker import tell
    from ssd.report.console.grid_table import one_line
    from ssd.report.console.run_table import print_summary
    from ssd.results.store import RunFolder
    from ssd.run.runner import finished_summary

    folder = RunFolder(plan.results_dir, plan.config)
    if in_grid and folder.run_id in begun:  # the same run in other words
        plan.task.close()
        return
    begun.add(folder.run_id)
    if in_grid and finished_summary(plan, folder) is not None:
        plan.task.close()  # the grid's table has it
    elif in_grid and not plan.runtime.in_process and is_in_turn(hydra_config):
        SWEEP.submit(plan)  # all runs of the grid share their workers, until its end
        return
    else:
        summary = run(plan)
        if in_grid:  # the grid's table has the rest
            print(f"{one_line(summary)}; {folder.path}")
        else:
            print_summary(summary, summary["run_id"], plan.runtime.pass_at)
            print(f"samples and summary: {plan.config['results_dir']}/{summary['run_id']}")
    tell(plan.tracker, folder.path)
