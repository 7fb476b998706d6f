"""The benchmarks by name: file and flags, in the order of importance."""

from __future__ import annotations

SUITE: dict[str, tuple[str, tuple[str, ...]]] = {
    "lanes": ("lanes", ()),
    "versus_torch": ("versus_torch", ()),
    "table6": ("table6", ()),
    "fig4": ("table6", ("--experiment", "fig4", "--predict", "60", "--epochs", "50")),
    "table5": ("table6", ("--experiment", "table5", "--predict", "60", "--epochs", "50")),
    "roofline": ("roofline", ()),
    "versus_keras": ("versus_keras", ()),
    "versus_nkululeko": ("versus_nkululeko", ()),
    "compile": ("compile", ()),
    "weightings": ("weightings", ()),
    "refill": ("refill", ()),
    "features": ("features", ()),
    "opening": ("opening", ()),
    "pending": ("pending", ()),
}
"""Name of a result -> benchmark and its flags."""
GPU_FLAGS = {"table6": ("--lanes", "60"), "table5": ("--lanes", "20")}
"""Further flags on a GPU: as many lanes as there are runs, so that none need be chosen first."""
ON_GPU = ("fig4", "table5")
"""What is asked of a GPU alone, where nobody asks for it by name."""
ON_HOST = ("features", "opening", "pending")
"""What a GPU has no part in."""


def flags_of(name: str, size: str) -> list[str]:
    """Returns the flags of a benchmark at a size."""
    return [*SUITE[name][1], *(GPU_FLAGS.get(name, ()) if size == "gpu" else ())]


def by_default(size: str) -> list[str]:
    """Returns what is measured at a size: all that it is about."""
    return [name for name in SUITE if name not in (ON_HOST if size == "gpu" else ON_GPU)]
