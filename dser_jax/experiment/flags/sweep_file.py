"""`sweep.toml`: the flags of a sweep as a file, a key a flag, to give with `--config`."""

from __future__ import annotations

import argparse
import copy
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from dser_jax import __version__
from dser_jax.experiment.flags.places import Place, find_place
from dser_jax.system import DataError, meant, unread, write_text

FILE = "sweep.toml"
"""What it is called in the folder of a sweep."""

USUAL = "usual"
"""The table of what was so by default."""

OWN = frozenset(("out", "config", "extend", "retry-failed", "part", "ray", "save-every", "yes"))
"""Flags that say where and how one call goes about it, and not what is trained."""

_UNWRITTEN = OWN - {"yes"}
"""Those of them that no file is written with: what looked wrong once does so again."""


class Filed(NamedTuple):
    """The value of a flag in a file, and where it stands."""

    value: Any
    place: Place


def add_config(group: Any) -> None:
    """Adds `--config`."""
    group.add_argument(
        "--config",
        metavar="FILE",
        help=f"flags from a file, such as the {FILE} of a sweep; those given here win over it",
    )


def flags_of(parser: argparse.ArgumentParser) -> dict[str, argparse.Action]:
    """Returns the flags that a file may hold, by their names without dashes."""
    return {
        flag.removeprefix("--"): action
        for action in parser._actions
        for flag in action.option_strings
        if flag.startswith("--") and flag not in ("--help", "--debug", "--config")
    }


def read_flags(
    path: str | Path, parser: argparse.ArgumentParser
) -> tuple[dict[str, Filed], dict[str, Any]]:
    """Reads flags from a file.

    Returns:
      Their values by their names without dashes, which `flags_of` has; and of `USUAL` the values
      that are to be the defaults. What stands only there and is no flag asks for nothing.

    Raises:
      DataError: There is no such file, it is not TOML, or a flag is unknown, given twice, or has no
        such value.
    """
    flags = flags_of(parser)
    found: dict[str, Filed] = {}
    text, values = _load(path)
    usual = values.pop(USUAL, {})
    if not isinstance(usual, dict):
        raise DataError(f"{USUAL} = {usual!r}; expected a table, [{USUAL}]", file=path)
    for key, value in values.items():
        name, filed = key.replace("_", "-"), _read(path, text, flags, key, value)
        if name in found:
            problem = f"--{name} is there twice: line {found[name].place.line} has it, too"
            raise DataError(problem, file=path, line=filed.place.line)
        found[name] = filed
    known = {key: value for key, value in usual.items() if key in flags and key not in found}
    return found, {key: _read(path, text, flags, key, value)[0] for key, value in known.items()}


def _read(path: str | Path, text: str, flags: Mapping[str, Any], key: str, value: Any) -> Filed:
    """Reads a flag of a file."""
    name, place = key.replace("_", "-"), find_place(text, str(path), key, value)
    if isinstance(value, dict):
        raise DataError(
            f"[{key}]: a table; expected flags alone, each on a line as NAME = VALUE, with no "
            "line in brackets before them",
            file=path,
            line=place.line,
        )
    if name not in flags:
        problem = f"there is no flag --{name}{meant(name, flags)}"
        raise DataError(problem, file=path, line=place.line)
    try:
        return Filed(_parsed(flags[name], value), place)
    except argparse.ArgumentError as error:
        raise DataError(f"--{name}: {error.message}", file=path, line=place.line) from None


def read_size(out: Path) -> str | None:
    """Returns the `--size` with which a folder was started; None if it does not say."""
    path = out / FILE
    return _load(path)[1].get("size") if path.exists() else None


def _load(path: str | Path) -> tuple[str, dict[str, Any]]:
    import tomllib

    try:
        text = Path(path).read_text("utf-8")
    except OSError as error:
        raise unread(path, error, f"a file of flags, such as the {FILE} of a sweep") from None
    except UnicodeDecodeError as error:
        raise DataError(f"not a TOML file: {error}", file=path) from None
    try:
        return text, tomllib.loads(text)
    except ValueError as error:
        problem, line = str(error), None
        if at := re.search(r" \(at line (\d+), column \d+\)$", problem):
            problem, line = problem[: at.start()], int(at[1])
        if line is not None and problem == "Cannot overwrite a value":
            raise DataError(_told_twice(text, line), file=path, line=line) from None
        raise DataError(f"not a TOML file: {problem}", file=path, line=line) from None


def _told_twice(text: str, line: int) -> str:
    """Says of a line whose key is there twice which other line has it."""
    keys = [row.partition("=")[0].strip().strip("\"'") for row in text.splitlines()]
    key = keys[line - 1]
    at = keys.index(key) + 1 if key else line
    return f"{key} is there twice" + (f": line {at} has it, too" if at < line else "")


def refuse_choice(action: argparse.Action, value: object) -> None:
    """Refuses what is not among the choices of a flag; raises `argparse.ArgumentError`."""
    if action.choices is None or value in action.choices:
        return
    listed = ", ".join(map(str, action.choices))
    near = meant(str(value), map(str, action.choices))
    raise argparse.ArgumentError(action, f"found {value!r}; expected one of {listed}{near}")


class _OneFlag(argparse.ArgumentParser):
    def _check_value(self, action: argparse.Action, value: object) -> None:
        refuse_choice(action, value)


def _parsed(action: argparse.Action, value: Any) -> Any:
    """Reads a value as the flag on a command line would; raises `argparse.ArgumentError`."""
    flag = action.option_strings[0]
    if action.nargs == 0:
        if not isinstance(value, bool):
            raise argparse.ArgumentError(None, f"found {value!r}; expected true or false")
        return action.const if value else not action.const
    items = value if isinstance(value, list) else [value]
    for item in items:
        if isinstance(item, bool) or not isinstance(item, (str, int, float)):
            raise argparse.ArgumentError(None, f"found {item!r}; expected a number or text")
    if isinstance(action, argparse._AppendAction):
        words = [f"{flag}={item}" for item in items]
    elif action.nargs is None and isinstance(value, list):
        raise argparse.ArgumentError(None, f"found {value!r}; expected one value")
    elif len(items) == 1:
        words = [f"{flag}={items[0]}"]
    else:
        words = [flag, *map(str, items)]
    one = _OneFlag(add_help=False, exit_on_error=False)
    one._add_action(copy.copy(action))
    namespace, rest = one.parse_known_args(words)
    if rest:
        raise argparse.ArgumentError(None, f"found {value!r}; expected {action.nargs} values")
    return getattr(namespace, action.dest)


def write_flags(args: argparse.Namespace) -> None:
    """Writes `sweep.toml` into the folder `--out`; an earlier one that differs gets a number."""
    path, text = Path(args.out) / FILE, flags_text(args)
    if path.exists():
        if path.read_text("utf-8") == text:
            return
        number = 1
        while (older := path.with_name(f"sweep-{number}.toml")).exists():
            number += 1
        path.rename(older)
    write_text(path, text)


def flags_text(args: argparse.Namespace) -> str:
    """Writes the flags as TOML: those that were asked for, and below what was so by default.

    That is read as defaults, for those of another version may be others. What the size decided
    stands there as comments: another size decides otherwise.

    Args:
      args: As `add_arguments` has them, the size settled.
    """
    asked, given, usual, sized = asked_flags(args), [], [], []
    for name, action in flags_of(args.parser).items():
        value = getattr(args, action.dest)
        if action.nargs == 0:
            value = value == action.const if name in asked else None
        if name in _UNWRITTEN or value in (None, [], ""):
            continue
        line = f"{name} = {_toml(value)}"
        if action.dest in args.from_size:
            sized.append(f"# {line}")
        else:
            (given if name in asked else usual).append(line)
    if getattr(args, "best_of", None):  # Settings are those of the search.
        usual = sized = []
    return "\n".join(
        [
            f"# What was asked for, with dser_jax {__version__}. The same in another folder:",
            f"#   {args.parser.prog} --config {FILE} --out DIR",
            "# Flags beside it win over it: --data DIR names another place of the data.",
            *given,
            "",
            *(["# So by default then, and hence when this is repeated:"] if usual else []),
            *([f"[{USUAL}]", *usual, ""] if usual else []),
            *(["# Of this size:", *sized, ""] if sized else []),
        ]
    )


def asked_flags(args: argparse.Namespace) -> list[str]:
    """Returns the flags, without dashes, that were given, or have another value than by default.

    What `--size` decides is not among them.
    """

    def asked(name: str, action: argparse.Action) -> bool:
        usual = args.parser.get_default(action.dest)
        return name in args.named or getattr(args, action.dest) != usual

    flags = flags_of(args.parser).items()
    return [name for name, each in flags if each.dest not in args.from_size and asked(name, each)]


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_toml, value))}]"
    return repr(value)
