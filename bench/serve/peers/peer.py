"""What a peer is: commands to start in a place of its own, and what it can take part in."""

from __future__ import annotations

import importlib.metadata
import importlib.resources
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.serve.cells import SCHEMES, STATES, Scheme, State

_PLACEHOLDER = re.compile(r"@([A-Z_]+)@")
_VERSION = re.compile(r"\d+\.\d+\.\d+")
VERSION_S = 10.0

OPEN_FILES = 256
"""Files that a server with a cache of open files keeps open: more than the hot set, fewer than the cold one."""
DESCRIPTORS_BESIDE = 2000
"""Descriptors that are not for connections, in the bench and in every server."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a peer lives: a directory of its own, its ports, and the objects it serves."""

    directory: Path
    disk: Path
    chain: Path
    key: Path
    http_port: int
    https_port: int
    admin_port: int
    backend_port: int
    descriptors: int
    root: bool

    def words(self) -> dict[str, str]:
        """What the placeholders of configuration files stand for."""
        return {
            "DIRECTORY": str(self.directory),
            "DISK": str(self.disk),
            "SEGMENTS": str(self.disk / "segments"),
            "CHAIN": str(self.chain),
            "KEY": str(self.key),
            "TLS_DIRECTORY": str(self.chain.parent),
            "CHAIN_NAME": self.chain.name,
            "KEY_NAME": self.key.name,
            "HTTP_PORT": str(self.http_port),
            "HTTPS_PORT": str(self.https_port),
            "ADMIN_PORT": str(self.admin_port),
            "BACKEND_PORT": str(self.backend_port),
            "OPEN_FILES": str(OPEN_FILES),
            "CONNECTIONS": str(self.descriptors - DESCRIPTORS_BESIDE),
            "DESCRIPTORS": str(self.descriptors),
        }


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run: a server, then what stands beside it and is measured with it."""

    server: tuple[str, ...]
    beside: tuple[tuple[str, ...], ...] = ()
    elsewhere: tuple[Path, ...] = ()
    """Directories made outside of the place, to be removed at the end."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A kind of server. `prepare` writes its configuration in a place and says what to run there.

    `caches`: it fetches from the static server behind it, and keeps its own copies.
    """

    name: str
    programs: tuple[str, ...]
    prepare: Callable[[Place], Plan]
    schemes: tuple[Scheme, ...] = SCHEMES
    states: tuple[State, ...] = STATES
    caches: bool = False
    why_not: str = ""
    """Why it is left out of the other schemes and states."""
    package: str = ""
    """The Python distribution that it is, where it is one; else its first program is asked for its version."""

    def missing(self) -> str | None:
        """The first program that is not installed, None when all are."""
        return next((program for program in self.programs if which(program) is None), None)

    def version(self) -> str:
        """The version of what is installed, as it calls itself."""
        if self.package:
            return importlib.metadata.version(self.package)
        program = which(self.programs[0])
        if program is None:
            return "not installed"
        said = subprocess.run([program, "-V"], capture_output=True, text=True, timeout=VERSION_S, check=False)
        return next((found.group(0) for found in [_VERSION.search(said.stdout + said.stderr)] if found), "unknown")


def which(program: str) -> str | None:
    """Where a program is; daemons are often outside of a user's path."""
    return shutil.which(program) or shutil.which(program, path="/usr/sbin:/usr/local/sbin:/usr/bin")


def render(template: str, words: Mapping[str, str]) -> str:
    """Fill in the placeholders. Raises KeyError for one that stands for nothing.

    >>> render("port @PORT@;", {"PORT": "80"})
    'port 80;'
    """
    return _PLACEHOLDER.sub(lambda match: words[match.group(1)], template)


def write(place: Place, name: str, words: Mapping[str, str] | None = None, *, to: Path | None = None) -> Path:
    """Render the configuration file `name` of this folder into the place, or to `to`; its path."""
    template = (importlib.resources.files(__package__) / name).read_text()
    path = to or place.directory / name
    path.write_text(render(template, {**place.words(), **(words or {})}))
    return path
