"""PyTorch and transformers: imported when an encoder runs, and no sooner."""

from __future__ import annotations

from importlib import import_module, metadata
from typing import Any, NamedTuple

from dser_jax.system import DserError

NEEDED = "pip install 'dser_jax[encoders]'"


class Libraries(NamedTuple):
    """The two modules, whose types nobody needs who has not installed them.

    Attributes:
      torch: PyTorch.
      transformers: Hugging Face's.
    """

    torch: Any
    transformers: Any


def libraries() -> Libraries:
    """Imports both, and makes transformers keep quiet.

    Raises:
      DserError: One of them is not installed.
    """
    torch, transformers = _import("torch"), _import("transformers")
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    return Libraries(torch, transformers)


def hub() -> Any:
    """Imports the library that knows the hub.

    Raises:
      DserError: It is not installed.
    """
    _import("transformers")
    return _import("huggingface_hub")


def version() -> str:
    """Returns which version of transformers is installed.

    Raises:
      DserError: None is.
    """
    _import("transformers")
    return f"transformers {metadata.version('transformers')}"


def device(torch: Any) -> str:
    """Names where to compute: a GPU, if PyTorch has one."""
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _import(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        raise DserError(
            f"encoders need {name}, which cannot be imported ({error}): {NEEDED}"
        ) from None
