"""Weights & Biases: a run's configuration, summary, samples and figures; offline unless asked, and without an account.

python run.py tracker=wandb tracker.project=decoders
"""

from __future__ import annotations

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

from ssd.config.tracker import Tracker
from ssd.config.validate import require_one_of, require_text
from ssd.extras import extra
from ssd.metrics.response import total_nfe
from ssd.results.reader import Line, read_run

SIDES = ("reference", "decoder")
MODES = ("offline", "online")
LOGGED = "logged"
"""Name of the file that marks a log as complete."""
OF_A_SIDE = ("text", "answer", "correct", "reason", "latency_s", "token_rows", "tokens_total", "tokens_useful")


class WandbTracker(Tracker):
    """Logs each run once, under its run id, into the run's own folder.

    mode: `offline` writes files that `wandb sync` uploads later; `online` needs an account.
    Raises ValueError naming the option, or the command that installs the library.
    """

    def __init__(self, project: str, mode: Literal["offline", "online"] = "offline", entity: str | None = None) -> None:
        require_text("tracker.project", project)
        require_one_of("tracker.mode", mode, MODES)
        with extra("wandb", "tracker=wandb", "pass tracker=none"):
            import wandb  # noqa: F401
        self.project, self.mode, self.entity = project, mode, entity

    def log(self, folder: Path) -> str | None:
        place = folder / "wandb"
        if (place / LOGGED).is_file():
            return None
        import wandb

        run = read_run(folder)
        shutil.rmtree(place, ignore_errors=True)  # a partial log
        settings = wandb.Settings(
            mode=self.mode,
            silent=True,
            console="off",
            disable_git=True,
            disable_code=True,
            x_disable_stats=True,
            x_disable_machine_info=True,
        )
        try:
            with wandb.init(
                project=self.project,
                entity=self.entity,
                id=folder.name,
                name=folder.name,
                group=f"{run.config['model']['name']} {run.config['task']['name']}",
                dir=folder,
                config={**run.config, "environment": run.environment},
                settings=settings,
                reinit="create_new",
            ) as logged:
                logged.summary.update(run.summary or {})
                rows = list(map(row, run.lines))
                samples = wandb.Table(columns=list(rows[0]), data=[list(each.values()) for each in rows])
                with TemporaryDirectory() as drawn:
                    figures = {
                        f"figures/{file.stem[:-2]}": wandb.Image(str(file)) for file in draw(folder, Path(drawn))
                    }
                    logged.log({"samples": samples, **figures})
        except wandb.Error as error:
            raise OSError(
                f"tracker=wandb, {folder.name}: {str(error).splitlines()[0]}; the run is stored, and the same line "
                "logs it again; tracker.mode=offline needs no account"
            ) from error
        (place / LOGGED).touch()
        return str(place)


def row(line: Line) -> dict[str, Any]:
    """Return a sample's values by column; those of several types as text."""
    divergence = line["first_divergence"]
    values = {name: line[name] for name in ("index", "repeat", "prompt_sha256", "target", "identical")}
    values |= {"target": str(line["target"]), "divergence": divergence["class"] if divergence else None}
    for side in SIDES:
        part = line[side] | {"answer": str(line[side]["answer"]), "nfe": total_nfe(line[side])}
        values |= {f"{side}.{name}": part[name] for name in (*OF_A_SIDE, "nfe")}
    return values


def draw(folder: Path, into: Path) -> list[Path]:
    """Write the report's figures of this run alone, two columns wide, as <name>-2.png; return the files."""
    from ssd.report.figures import FIGURES
    from ssd.report.results import load

    results = load(folder)
    return [file for entry in FIGURES for file in entry.write(results, into, widths=(2,), kinds=("png",)).files]
