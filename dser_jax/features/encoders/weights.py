"""Where an encoder lies on the disk, and by what its weights are known again."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from dser_jax.features.encoders.libraries import hub
from dser_jax.system import DataError, DserError, say, sha256_file

CONFIG, MODULES, SENTENCES = "config.json", "modules.json", "sentence_bert_config.json"

_SAFE, _PICKLED = "*.safetensors", "pytorch_model*.bin"
_SMALL = ("*.json", "*.txt", "*.model")
_REVISION = re.compile("[0-9a-f]{40}")
_NAME = re.compile(r"[\w.-]+(/[\w.-]+)?")

_HOW = (
    "download it where there is internet (`hf download NAME --local-dir FOLDER`, a command of "
    "huggingface_hub) and give the folder"
)


class Weights(NamedTuple):
    """An encoder on the disk.

    Attributes:
      model: As the user named it.
      folder: Where the transformer's files are.
      sha256: The SHA-256 of the file with the weights; of several, of their digests.
      settings: The same of the small files beside it: configuration, preprocessor, tokenizer.
      revision: What the hub calls this version; None of a folder.
    """

    model: str
    folder: Path
    sha256: str
    settings: str
    revision: str | None


def find_weights(model: str) -> Weights:
    """Finds an encoder, and fetches it if it is the name of one on the hub that is not here yet.

    Raises:
      DataError: The folder holds none.
      DserError: There is no such folder, and nothing of this name can be had.
    """
    path = Path(model).expanduser()
    revision = None
    if not path.is_dir():
        if path.exists() or not _NAME.fullmatch(model) or model.startswith("."):
            raise DataError(
                "no such folder" if not path.exists() else "not a folder",
                file=path,
                expected=f"the folder of an encoder, or its name on the hub; {_HOW}",
            )
        path = _fetched(model)
        revision = path.name if _REVISION.fullmatch(path.name) else None
    folder = path / _transformer(path)
    if not (folder / CONFIG).is_file():
        raise DataError(f"no {CONFIG} in it", file=folder, expected=f"an encoder; {_HOW}")
    files = sorted(folder.glob(_SAFE)) or sorted(folder.glob(_PICKLED))
    if not files:
        raise DataError("no weights in it", file=folder, expected=f"{_SAFE} or {_PICKLED}; {_HOW}")
    small = sorted({file for pattern in _SMALL for file in folder.glob(pattern)})
    several = "".join(f"{sha256_file(file)} {file.name}\n" for file in files)
    sha256 = sha256_file(files[0]) if len(files) == 1 else _digest(several)
    settings = _digest("".join(f"{sha256_file(file)} {file.name}\n" for file in small))
    return Weights(model, folder, sha256, settings, revision)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _transformer(folder: Path) -> str:
    """Names the folder of the transformer within one of sentence-transformers."""
    path = folder / MODULES
    if not path.is_file():
        return ""
    modules = read_json(path)
    for module in modules if isinstance(modules, list) else []:
        kind, place = (str(module.get(name, "")) for name in ("type", "path"))
        if kind.endswith("Transformer") and ".." not in place and not place.startswith("/"):
            return place
    raise DataError("names no transformer", file=path, expected="a module of type Transformer")


def read_json(path: Path) -> Any:
    """Reads a file of an encoder's.

    Raises:
      DataError: It is not JSON.
    """
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"cannot be read ({error})", file=path, expected="JSON") from None


def _fetched(model: str) -> Path:
    """Returns the folder in the hub's cache, and fills it where nobody has."""
    library = hub()
    small = [*_SMALL, "*/*.json"]

    def look(patterns: Sequence[str], **options: bool) -> Path:
        return Path(library.snapshot_download(model, allow_patterns=list(patterns), **options))

    try:
        found = look(small, local_files_only=True)
        if _has_weights(found):
            return found
    except Exception:  # Of many kinds, from one version of the library to the next.
        pass
    if library.constants.HF_HUB_OFFLINE:
        raise DserError(
            f"{model}: no such folder, nor was it fetched before, and HF_HUB_OFFLINE forbids to "
            f"fetch it; {_HOW}"
        )
    say(f"fetching {model} from the hub, into {library.constants.HF_HUB_CACHE}")
    try:
        found = look([*small, _SAFE, f"*/{_SAFE}"])
        return found if _has_weights(found) else look([*small, _PICKLED, f"*/{_PICKLED}"])
    except Exception as error:
        why = " ".join(str(error).split())[:200]
        raise DserError(
            f"{model}: no such folder, and it cannot be fetched from the hub "
            f"({type(error).__name__}: {why}); {_HOW}"
        ) from None


def _has_weights(folder: Path) -> bool:
    return any(any(folder.rglob(pattern)) for pattern in (_SAFE, _PICKLED))
