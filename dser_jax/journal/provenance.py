"""What a result was made with: versions, machine, commit and command. Imports none of it."""

from __future__ import annotations

import os
import platform
import shlex
import subprocess
import sys
from importlib import metadata
from pathlib import Path

from dser_jax import __version__

PACKAGES = (
    "numpy",
    "scipy",
    "scikit-learn",
    "jax",
    "jaxlib",
    "jax-cuda12-plugin",
    "jax-cuda13-plugin",
    "flax",
    "optax",
    "orbax-checkpoint",
    "opensmile",
    "pyAudioAnalysis",
    "soundfile",
    "optuna",
    "ray",
)


def environment() -> dict[str, object]:
    """Gathers what a journal's manifest tells of its origin, save the device, which JAX knows.

    Returns:
      `versions` (of Python, of this package and of the packages that are installed), `platform`,
      `git_commit` and `git_dirty` (None where the package does not run from a checkout of its own)
      and `command`.
    """
    versions = {"python": platform.python_version(), "dser_jax": __version__}
    for package in PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return {
        "versions": versions,
        "platform": platform.platform(),
        **_checkout(Path(__file__).parents[1]),
        "command": shlex.join(sys.argv),
    }


def _checkout(package: Path) -> dict[str, object]:
    """Returns the commit of the checkout that tracks the package, and whether it was edited."""
    unknown = {"git_commit": None, "git_dirty": None}
    # Installed inside somebody else's checkout, the package would show that project's commit.
    if _git(package, "ls-files", "--error-unmatch", "__init__.py") is None:
        return unknown
    commit = _git(package, "rev-parse", "HEAD")
    changes = _git(package, "status", "--porcelain", "--", ".")
    if commit is None or changes is None:
        return unknown
    return {"git_commit": commit, "git_dirty": bool(changes)}


def _git(folder: Path, *arguments: str) -> str | None:
    """Runs git in a folder; None if it fails or is not installed."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        done = subprocess.run(
            ["git", "--no-optional-locks", *arguments],
            cwd=folder,
            env=clean,
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
