"""A Ray cluster: joined, or started, for as long as it is needed; and where it has room."""

from __future__ import annotations

import contextlib
import functools
import os
import secrets
import signal
import socket
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import Any, NamedTuple

from dser_jax.system import NAMES, DserError, plural


@contextlib.contextmanager
def cluster(address: str) -> Iterator[None]:
    """Joins a Ray cluster, or starts one on this machine, for as long as the `with` lasts.

    Within another one it does nothing, so that the programs of a sweep may share one. What it
    starts ends with it, and with this process, however that ends; a cluster that was there stays.

    Args:
      address: "local" for one of this machine alone, which listens on 127.0.0.1; HOST:PORT of one
        that this machine belongs to; "auto" for the one that this machine belongs to.

    Raises:
      DserError: Ray is not installed, or there is no such cluster.
    """
    mine: dict[str, str] = {}
    if address == "local":
        # Ray reads it when it is imported: nodes are on 127.0.0.1, as on macOS and Windows.
        mine = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_USAGE_STATS_ENABLED": "0"}
        if not os.environ.keys() & {"RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"}:
            mine["RAY_AUTH_TOKEN"] = _token()  # Ray would write one to the home folder.
        if "ray" not in sys.modules:  # It has read it, then, and would not know of a change.
            mine["RAY_AUTH_MODE"] = "token"
    elif address != "auto" and ("://" in address or not address.rpartition(":")[2].isdecimal()):
        raise DserError(f"--ray {address}: expected local, auto or HOST:PORT")
    else:
        mine = {"RAY_NUM_REDIS_GET_RETRIES": "2"}  # Tries of 40 s each, where Ray is not there.
    with _environment({name: value for name, value in mine.items() if name not in os.environ}):
        ray = load_ray()
        if ray.is_initialized():
            yield
            return
        with _signals_kept():
            _connect(ray, address)
        try:
            yield
        finally:
            with _signals_kept():
                ray.shutdown()


def cluster_devices() -> str:
    """Tells what the workers of a cluster are on, for a manifest; within a `with cluster(...)`."""
    places = places_on(load_ray().nodes())
    kinds = Counter(place.kind for place in places.values())
    hosts = len({place.node for place in places.values()})
    what = ", ".join(f"{count} x {kind}" for kind, count in kinds.items()) or "no device"
    return f"{what} on {plural(hosts, 'node')} (ray)"


@functools.cache
def _token() -> str:
    """Returns a secret of this process, which Ray asks of whoever connects."""
    return secrets.token_hex(32)


def load_ray() -> Any:
    """Returns Ray, which is installed with an extra."""
    try:
        return import_module("ray")
    except ImportError as error:
        raise DserError(f'--ray needs Ray: pip install "dser_jax[ray]" ({error})') from error


def _connect(ray: Any, address: str) -> None:
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    if address == "local":
        # A worker needs a GPU and no core, or one core; Ray starts an idle process for each core.
        options |= {"num_cpus": 1, "include_dashboard": False}
    elif address != "auto":
        host, _, port = address.rpartition(":")
        try:  # Ray itself tries for minutes.
            socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()
        except OSError as error:
            raise DserError(f"--ray {address}: nothing listens there: {error}") from error
    try:
        ray.init(address=address, **options)
    except (OSError, RuntimeError, ValueError) as error:
        raise DserError(f"--ray {address}: {error}") from error


@contextlib.contextmanager
def _environment(changes: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in changes}
    os.environ.update(changes)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextlib.contextmanager
def _signals_kept() -> Iterator[None]:
    """Puts the handlers of signals back, which Ray replaces by its own."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [getattr(signal, name) for name in NAMES if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            if handler is not None and signal.getsignal(number) is not handler:
                signal.signal(number, handler)


class Place(NamedTuple):
    """Where there is room for a worker: a GPU, or a node without."""

    node: str
    host: str
    kind: str
    gpu: bool


def places_on(nodes: Sequence[dict[str, Any]]) -> dict[str, Place]:
    """Lists the GPUs of the nodes that are alive, by names of their own, or else the nodes."""
    places = {}
    alive = [node for node in nodes if node["Alive"]]
    gpus = any(node["Resources"].get("GPU", 0) >= 1 for node in alive)
    for node in alive:
        has = node["Resources"]
        kinds = [name.partition(":")[2] for name in has if name.startswith("accelerator_type:")]
        kind = (kinds or ["GPU"])[0] if gpus else "cpu"
        count = int(has.get("GPU", 0)) if gpus else min(1, int(has.get("CPU", 0)))
        for number in range(count):
            host = node["NodeManagerHostname"] or node["NodeManagerAddress"]
            places[f"{node['NodeID']} {number}"] = Place(node["NodeID"], host, kind, gpus)
    return places
