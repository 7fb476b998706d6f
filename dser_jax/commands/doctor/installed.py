"""Packages: which are needed, which are there, and whether they can be imported."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import metadata

from dser_jax.commands.doctor.findings import Finding
from dser_jax.commands.doctor.probes import Probed, importing, probe

EXTRAS = {
    "demo": "the talking demo corpus",
    "optuna": "searches by Optuna",
    "encoders": "features of frozen encoders: wav2vec 2.0, BERT, ...",
    "ray": "sweeps on a Ray cluster",
    "asr": "transcripts by speech recognition",
}
"""What the optional parts are for, where their name does not tell."""

NOT_ASKED = ("test", "docs", "bench", "cuda12", "cuda13")
"""Extras for developers, and those that the device tells of."""


def requirements() -> tuple[dict[str, str], dict[str, dict[str, str]]]:
    """Returns what the installed package requires, and what each of its extras does.

    Returns:
      Package -> the versions that will do, e.g. ">=2.2", and extra -> the same.
    """
    from packaging.requirements import Requirement

    try:
        known = metadata.metadata("dser_jax")
        lines = metadata.requires("dser_jax") or []
    except metadata.PackageNotFoundError:
        return {}, {}
    needed: dict[str, str] = {}
    extras: dict[str, dict[str, str]] = {name: {} for name in known.get_all("Provides-Extra") or ()}
    for line in lines:
        requirement = Requirement(line)
        marker = requirement.marker
        if marker is None or marker.evaluate({"extra": ""}):
            needed[requirement.name] = str(requirement.specifier)
            continue
        for extra, wanted in extras.items():
            if marker.evaluate({"extra": extra}):
                wanted[requirement.name] = str(requirement.specifier)
    return needed, extras


def try_imports(packages: Iterable[str]) -> dict[str, Probed]:
    """Imports packages, all in one process if that goes well, and else each in its own."""
    codes = {name: importing(name) for name in packages}
    if probe(";".join(codes.values()) or "print(0)").error is None:
        return dict.fromkeys(codes, Probed(0))
    return {name: probe(code) for name, code in codes.items()}


def packages(needed: Mapping[str, str], imports: Mapping[str, Probed]) -> list[Finding]:
    """Tells which packages are there, recent enough and whole."""
    if not needed:
        return [
            Finding(
                "note",
                "dser_jax is not installed, so nobody knows what it needs",
                'pip install -e ".[demo]" in its folder',
            )
        ]
    good, found = [], []
    for name, versions in needed.items():
        wrong = _unsuitable(name, versions)
        probed = imports[name]
        if wrong is not None:
            found.append(Finding("broken", wrong, f'pip install "{name}{versions}"'))
        elif probed.error is not None:
            mend = f"pip install --force-reinstall {name}"
            found.append(Finding("broken", f"{name} cannot be imported: {probed.error}", mend))
        else:
            good.append(f"{name} {metadata.version(name)}")
    return [*([Finding("ok", ", ".join(good))] if good else []), *found]


def optional(extras: Mapping[str, Mapping[str, str]]) -> list[Finding]:
    """Tells which optional parts are installed; without them the rest works."""
    found = []
    for extra, wanted in extras.items():
        if extra in NOT_ASKED:
            continue
        purpose = f" ({EXTRAS[extra]})" if extra in EXTRAS else ""
        missing = [text for each in wanted.items() if (text := _unsuitable(*each)) is not None]
        if missing:
            mend = f'pip install "dser_jax[{extra}]"'
            found.append(Finding("note", f"{extra}{purpose}: {', '.join(missing)}", mend))
        else:
            found.append(Finding("ok", f"{extra}{purpose}"))
    return found


def _unsuitable(name: str, versions: str) -> str | None:
    """Says what is wrong with a package, by its version alone; None where nothing is."""
    from packaging.specifiers import SpecifierSet

    try:
        version = metadata.version(name)
    except metadata.PackageNotFoundError:
        return f"{name} is not installed"
    if not SpecifierSet(versions).contains(version, prereleases=True):
        return f"{name} is {version}, needed is {versions}"
    return None
