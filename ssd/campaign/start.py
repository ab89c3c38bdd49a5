"""The start of a grid: every run is planned, and the number of runs and the time are printed."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from hydra.core.utils import filter_overrides
from omegaconf import DictConfig

from ssd.campaign.estimate import Estimates, estimate
from ssd.campaign.forward_times import ForwardTimes
from ssd.campaign.planned_run import Grid, PlannedRun
from ssd.campaign.stored_times import stored_times
from ssd.campaign.sweep_jobs import Words, compose_jobs, jobs_of
from ssd.config.plan import Plan, make_plan
from ssd.results import environment
from ssd.results.atomic_io import require_room
from ssd.results.last_grid import keep_grid
from ssd.results.store import RunFolder
from ssd.run.failures import line_of
from ssd.run.runner import changed_since


def start(config: DictConfig) -> Grid:
    """Plan a sweep and print what is left to do; return its runs. config: with Hydra's own part.

    Raises ValueError or OSError, in one line, if the grid must not start.
    """
    _check_launcher(config.hydra.launcher._target_)
    jobs = jobs_of(config)
    composed = compose_jobs(config, jobs)
    runs_here = config.hydra.launcher._target_.endswith(".BasicLauncher")
    grid, plans = _planned(jobs, composed, runs_here)
    if not grid.runs:
        raise ValueError("; ".join(dict.fromkeys(reason for _, reason in grid.refused)))
    for results_dir in {run.results_dir for run in grid.runs}:
        require_room(results_dir)
    keep_grid([run.folder for run in grid.runs])
    _announce(grid)
    estimates = _estimates(grid, plans, runs_here)
    grid.estimates_s = estimates.seconds
    if any(run.left for run in grid.runs):
        print(f"time: {estimates.sentence()}", flush=True)
    return grid


def _check_launcher(target: str) -> None:
    if target.endswith("SlurmLauncher") and shutil.which("srun") is None:
        raise ValueError(
            "hydra/launcher=slurm: this machine has no srun; start the line on one of the cluster's, or pass "
            "hydra/launcher=submitit_local"
        )


def _planned(jobs: Sequence[Words], composed: Sequence[DictConfig], runs_here: bool) -> tuple[Grid, dict[str, Plan]]:
    """Return the grid, and the plans of unfinished runs by id."""
    common = set.intersection(*map(set, jobs))
    grid, numbers, plans = Grid([], [], []), {}, {}
    for words, config in zip(jobs, composed, strict=True):
        try:
            plan = make_plan(config, runs_here)
        except Exception as error:  # printed now and at the end; the other runs are measured
            own = filter_overrides([word for word in words if word not in common] or words)
            grid.refused.append((" ".join(own), line_of(error)))
            grid.jobs.append(None)
            continue
        run = PlannedRun.of(plan)
        if run.run_id not in numbers:
            numbers[run.run_id] = len(grid.runs)
            grid.runs.append(run)
            if run.left:
                plans[run.run_id] = plan
            if run.is_done and runs_here:
                grid.changes += filter(None, [changed_since(plan, RunFolder(plan.results_dir, plan.config))])
        grid.jobs.append(numbers[run.run_id])
    return grid, plans


def _announce(grid: Grid) -> None:
    """Print the number of runs, of finished and begun ones, and each run that cannot be planned."""
    done = sum(run.is_done for run in grid.runs)
    begun = [run for run in grid.runs if run.stored and not run.is_done]
    parts = [f"{done} done already" if done else "none done yet"]
    if begun:
        left = f"{sum(run.left for run in begun)} of {sum(run.responses for run in begun)} responses left"
        parts.append(f"{len(begun)} begun ({left})")
    if grid.refused:
        parts.append(f"{len(grid.refused)} that cannot be planned")
    count = len(grid.runs) + len(grid.refused)
    print(f"grid of {count} run{'s' if count != 1 else ''}: {', '.join(parts)}")
    if grid.changes:
        changes = "; ".join(dict.fromkeys(change for changes in grid.changes for change in changes))
        print(
            f"  NOTE: of those done, {len(grid.changes)} measured under other circumstances: {changes}; "
            "overwrite=true measures anew"
        )
    for words, reason in grid.refusals():
        print(f"  cannot be planned: {words}: {reason}")


def _estimates(grid: Grid, plans: dict[str, Plan], runs_here: bool) -> Estimates:
    """Return the estimated times. runs_here: whether this machine makes the runs."""
    if not plans:
        return estimate(grid.runs, [], "", lambda run: 0.0)
    times = ForwardTimes()

    def forward_s(run: PlannedRun) -> float:
        if not runs_here:
            raise ValueError("the runs are carried out elsewhere, and none like them are stored")
        return times.seconds(plans[run.run_id])

    stored = [found for root in {run.results_dir for run in grid.runs} for found in stored_times(Path(root))]
    device = next(iter(plans.values())).runtime.torch_device()
    device_name = environment.describe(device)["device_name"] if runs_here else None
    try:
        return estimate(grid.runs, stored, device_name, forward_s)
    finally:
        times.forget()
