"""Decode stored samples again, on the model they were measured on, and compare with what is stored."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from baselines.stepwise import Stepwise
from ssd.audit.compare import Audit
from ssd.audit.divergence import first_difference
from ssd.audit.float64 import ExactModel
from ssd.config.plan import SOURCE, build_decoder
from ssd.config.runtime import DTYPES
from ssd.config.source import classes_of, source_files, source_of
from ssd.decoding.block_decoder import BlockDecoder
from ssd.decoding.decoder import Decoder
from ssd.decoding.settings import GenerationSettings, SpecialTokens, Workload
from ssd.measure.engines import as_decoded
from ssd.modeling.checkpoint import load_model, resolve
from ssd.modeling.fingerprint import fingerprint
from ssd.results import environment
from ssd.results.reader import Line, StoredRun, case_of, name_of, place_of

MUST_AGREE = ("device", "device_name", "threads", "checkpoint")


@dataclass(frozen=True)
class Reproduction:
    """A run's audit, with its model and settings, and both sides' decoders, loaded again."""

    audit: Audit
    decoder: Decoder
    reference: BlockDecoder

    def differences(self, line: Line) -> list[str]:
        """Decode a stored sample again; return one line for each difference from the stored one."""
        audit, name, prompt = self.audit, name_of(*place_of(line)), line["prompt_ids"]
        settings = replace(audit.settings, seed=line["seed"])
        decoded = {
            side: decoder.decode(audit.model, prompt, settings, audit.special)
            for side, decoder in (("reference", self.reference), ("decoder", self.decoder))
        }
        changed = []
        for side, response in decoded.items():
            index = first_difference(line[side]["response_ids"], response.response_ids)
            if index is not None:
                changed.append(f"{name}: the {side}'s response differs from the stored one from position {index} on")
        found = audit.pair(prompt, settings.seed, decoded["reference"], decoded["decoder"], self.decoder).verdict
        case = case_of(line)
        stored = case["class"] if case else "identical"
        if stored not in (found, "unexplained"):
            changed.append(f"{name}: class {stored} is stored, {found} was found")
        return changed


def load(run: StoredRun) -> Reproduction:
    """Load the run's model and decoder. Raises ValueError, FileNotFoundError or ConnectionError in one line."""
    config = run.config
    if config["runtime"]["batch_size"] > 1:
        raise ValueError(
            f"{run.folder}: decoded in batches of {config['runtime']['batch_size']}, whose forwards round otherwise "
            "than one prompt's; only runs with runtime.batch_size=1 are replayed"
        )
    device = torch.device(config["runtime"]["device"])
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ValueError(f"{run.folder}: measured on {device}, which this machine lacks; replay it where it was run")
    if config["runtime"]["threads"]:
        torch.set_num_threads(config["runtime"]["threads"])
    folder = resolve(config["model"]["path"], config["model"]["revision"])
    now = environment.describe(device, folder)
    refuse_if_changed(run, {name: now[name] for name in MUST_AGREE})
    options = dict(config["decoder"])
    fingerprints = options.pop("fingerprints", [])
    decoder, settings = build_decoder(options), GenerationSettings(**config["generation"])
    if [fingerprint(file) for file in (*decoder.files(), *settings.files())] != fingerprints:
        raise ValueError(f"{run.folder}: a file that the decoder reads has changed since the run; measure it anew")
    if source_of(*classes_of(decoder)) != options[SOURCE]:
        files = ", ".join(map(str, source_files(*classes_of(decoder)).values()))
        raise ValueError(f"{run.folder}: the decoder's source has changed since the run ({files}); measure it anew")
    reference = decoder.reference or Stepwise()
    loaded = load_model(folder, device, DTYPES[config["runtime"]["dtype"]], settings.causal_block)
    model = as_decoded(loaded, config["runtime"]["engine"], config["runtime"]["numerics"], reference, decoder)
    if (run.folder / "measured.json").is_file():
        decoder.restore(json.loads((run.folder / "measured.json").read_text()))
    decoder.load(model, folder, settings, Workload())
    special = SpecialTokens(config["model"]["mask_id"], tuple(config["model"]["end_ids"]))
    exact = ExactModel(model) if run.claims_lossless else None
    return Reproduction(Audit(model, settings, special, reference.commit, exact), decoder, reference)


def refuse_if_changed(run: StoredRun, now: dict[str, object]) -> None:
    """Raise ValueError if the run's weights or device differ from those of `now`."""
    changed = [
        f"{name} {run.environment.get(name)} → {value}"
        for name, value in now.items()
        if run.environment.get(name) != value
    ]
    if changed:
        raise ValueError(
            f"{run.folder}: measured under other circumstances ({'; '.join(changed)}); replay it where it was measured"
        )


def choose(lines: Sequence[Line], identical: int) -> list[Line]:
    """Return every divergent sample, and `identical` of the others, spread evenly over the run."""
    same = [line for line in lines if case_of(line) is None]
    count = min(identical, len(same))
    kept = {place_of(same[place * len(same) // count]) for place in range(count)}
    return [line for line in lines if case_of(line) is not None or place_of(line) in kept]
