"""Names that are loaded when they are asked for, and names that modules had before."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import ModuleType

PACKAGE = "dser_jax"

FORMER = {
    "system": "atomic=files.atomic compile_cache cores errors lock=files.lock progress signals",
    "data": "dataset inspect=inspection join=joining leaks prepare=preparing "
    "prepared=prepared+folder.table+folder.manifest splits staging",
    "training": "metrics optimizers train=run",
    "plan": "grid runs weights",
    "engine": "checkpoint handout=ray.handout lanes program ray_engine=ray.worker "
    "ray_workers=ray.crew sizing sweep_progress=progress",
    "journal": "environment=provenance frame intervals journal_files=files journal_plan=planned "
    "merge=merging rows",
    "stats": "baselines=baselines+baselines.planning+baselines.fitting+baselines.models"
    "+baselines.inputs bootstrap run_settings=settings searches=searched subsets "
    "tables=table+rows",
    "report": "collection figures page published report_files=files "
    "report_leaks=sections.leaks report_paper=sections.paper report_search=sections.trials "
    "report_searches=sections.searches report_sections=sections.section "
    "report_text=text trackers watch=watching",
    "experiment": "conduct=conducting settings=flags.settings",
    "commands": "doctor=doctor.examination+doctor.findings+doctor.installed+doctor.machine+"
    "doctor.probes",
    "features": "features.extractor=extractors.extractor features.gemaps=extractors.gemaps "
    "features.paa=extractors.paa features.paa_fast=extractors.paa_fast",
    "corpora": "corpora.demo_text=demo.text corpora.espeak=demo.espeak",
}
"""By room, the modules that are in it now under names that they had outside: FORMER=PRESENT.

Of a module that has been parted there are several: FORMER=PRESENT+ANOTHER, the first of which shows
the names of the others, too, when it is imported by the former name.
"""


def exports(
    package: str,
) -> tuple[Callable[[str], object], Callable[[], list[str]], Sequence[str]]:
    """Makes a package load what it exports when it is asked for, and no sooner.

    What it exports is what it imports under `if TYPE_CHECKING:`, so that the list stands once, and
    type checkers and editors read the same.

    Args:
      package: The name of the package, which calls this while it is being imported.

    Returns:
      Its `__getattr__`, `__dir__` and `__all__`.
    """
    module = sys.modules[package]
    homes = dict(_promised(module))

    def load(name: str) -> object:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(import_module(homes[name]), name)
        setattr(module, name, value)  # Asked once.
        return value

    def names() -> list[str]:
        own = vars(module).items()
        shown = [name for name, value in own if name[:2] == "__" or isinstance(value, ModuleType)]
        return sorted({*homes, *shown})

    return load, names, sorted(homes)


def _promised(module: ModuleType) -> list[tuple[str, str]]:
    """Returns names and the modules that have them, as the source of a package tells them."""
    loader = module.__spec__.loader if module.__spec__ else None
    source = loader.get_source(module.__name__) if loader else None  # pyrefly: ignore
    found = []
    for block in ast.parse(source or "").body:
        if isinstance(block, ast.If) and getattr(block.test, "id", "") == "TYPE_CHECKING":
            for node in block.body:
                if isinstance(node, ast.ImportFrom):
                    found += [(alias.name, node.module or "") for alias in node.names]
    return found


def _present() -> dict[str, list[str]]:
    """Returns the present names of each module that had another."""
    pairs = {}
    for room, names in FORMER.items():
        for name in names.split():
            former, _, present = name.partition("=")
            parts = (present or former).split("+")
            pairs[f"{PACKAGE}.{former}"] = [f"{PACKAGE}.{room}.{part}" for part in parts]
    return pairs


class FormerNames:
    """Imports a module under a name that it had before the package had rooms.

    It is the same module, not a copy: what a user's file adds to a table of it is there for all.
    It finds and loads as those of `importlib.abc` do, whose import would take longer than ours.
    """

    def __init__(self) -> None:
        self.present = _present()

    def find_spec(
        self, name: str, path: object = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Finds a module by its former name; knows no others."""
        return ModuleSpec(name, self) if self._of(name) else None  # pyrefly: ignore

    def create_module(self, spec: ModuleSpec) -> None:
        """Leaves the making of a module to Python."""

    def exec_module(self, module: ModuleType) -> None:
        """Puts the module of the present name in the place of the new one."""
        first, *others = map(import_module, self._of(module.__name__))
        for other in others:
            for name in filter(lambda name: name[0] != "_", vars(other)):
                vars(first).setdefault(name, getattr(other, name))
        sys.modules[module.__name__] = first

    def _of(self, name: str) -> list[str]:
        if name in self.present:
            return self.present[name]
        folder, _, rest = name.rpartition(".")
        return [f"{self.present[folder][0]}.{rest}"] if folder in self.present else []


def keep_former_names() -> None:
    """Lets modules be imported by the names of version 0.1, too."""
    if not any(isinstance(finder, FormerNames) for finder in sys.meta_path):
        sys.meta_path.insert(0, FormerNames())  # pyrefly: ignore
