"""Model families: one file for each, and the table of all."""

from __future__ import annotations

from types import MappingProxyType

from ssd.modeling.families.dream import DREAM
from ssd.modeling.families.family import Family
from ssd.modeling.families.fast_dllm_v2 import FAST_DLLM_V2
from ssd.modeling.families.llada import LLADA
from ssd.modeling.families.sdar import SDAR

FAMILIES = MappingProxyType({family.name: family for family in (LLADA, DREAM, SDAR, FAST_DLLM_V2)})


def family_of(model_type: object, where: str) -> Family:
    """Return the family of a config.json's `model_type`. Raises ValueError that lists the known ones."""
    for family in FAMILIES.values():
        if family.model_type == model_type:
            return family
    known = ", ".join(repr(family.model_type) for family in FAMILIES.values())
    raise ValueError(f"{where}: model_type is {model_type!r}, expected one of {known}")
