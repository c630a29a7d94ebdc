"""Which URLs a token is for: the claim catu of Common Access Tokens (CTA-5007-B, 4.6.10). Pure.

A map from component of the URL to what it must match; every match of every component must hold. Token and
fragment are no part of the URL. Where the makers of tokens read a component in more than one way (with or
without its dot or slash), either reading may match.

Expressions are POSIX extended, searched in at most VALUE_LIMIT bytes, and only those that cannot run away:
few open repetitions and none of a group. They come from an issuer we hold a key of, not from strangers.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from typing import Any, Final

import msgspec

SCHEME, HOST, PORT, PATH, QUERY, PARENT, FILENAME, STEM, EXTENSION = range(9)
EXACT, PREFIX, SUFFIX, CONTAINS, REGEX = range(5)
SHA256: Final = -1
SHA512_256: Final = -2

COMPONENTS: Final = ("scheme", "host", "port", "path", "query", "parent-path", "filename", "stem", "extension")
MATCHES: Final = {
    EXACT: "exact",
    PREFIX: "prefix",
    SUFFIX: "suffix",
    CONTAINS: "contains",
    REGEX: "regex",
    SHA256: "sha256",
    SHA512_256: "sha512-256",
}

VALUE_LIMIT: Final = 512
"""Bytes of a component that an expression is searched in; a longer one matches none."""
PATTERN_LIMIT: Final = 256
REPEATS_LIMIT: Final = 3
"""Repetitions in an expression that may take more than a few characters; a start without `^` counts as one."""

Test = Callable[[bytes], bool]

_DEFAULT_PORTS: Final = {b"http": b"80", b"https": b"443"}
_ATOM = re.compile(
    r"""(?P<escape>\\[][\\.*+?|(){}^$/-])
      | (?P<set>\[\^?\]?[^]\\[]*\])
      | (?P<count>\{(?P<least>\d{1,3})(?P<open>,(?P<most>\d{1,3})?)?\})
      | (?P<repeat>[*+?])
      | (?P<group>[(](?![?*]))
      | (?P<end>[)])
      | (?P<plain>[^][\\*+?(){}])""",
    re.VERBOSE,
)


class Target(msgspec.Struct, frozen=True):
    """The URL of a request, without its token."""

    scheme: bytes
    authority: bytes
    """As in Host."""
    path: bytes
    query: bytes


class Rule(msgspec.Struct, frozen=True):
    """What one component must match."""

    component: int
    tests: tuple[Test, ...]

    def holds(self, target: Target) -> bool:
        """Whether `target` does."""
        if self.component == PATH:
            return all(test(target.path) for test in self.tests)
        return any(all(test(value) for test in self.tests) for value in readings(self.component, target))


def rules(claim: Any) -> tuple[Rule, ...]:
    """The rules in the value of catu. Raises ValueError with what is wrong."""
    if not isinstance(claim, dict) or not claim:
        raise ValueError("catu is not a map of components")
    return tuple(_rule(component, matches) for component, matches in claim.items())


def exactly(path: bytes) -> Rule:
    """Only this path."""
    return Rule(PATH, (path.__eq__,))


def below(prefix: bytes) -> Rule:
    """Every path that begins so."""
    return Rule(PATH, (_prefix(prefix),))


def readings(component: int, target: Target) -> tuple[bytes, ...]:
    """What `component` of `target` is: each way it is commonly read.

    >>> readings(EXTENSION, Target(b"http", b"a", b"/s/t/r/00001.m4s", b""))
    (b'.m4s', b'.m4s', b'm4s')
    """
    parent, _, name = target.path.rpartition(b"/")
    if component < PARENT:
        host, port = _authority(target)
        return ((target.scheme, host, port, target.path, target.query)[component],)
    if component == PARENT:
        return parent, parent + b"/"
    first, last = name.find(b"."), name.rfind(b".")
    if component == FILENAME or (component == STEM and first < 0):
        return (name,)
    if first < 0:
        return (b"",)
    return (name[:first], name[:last]) if component == STEM else (name[first:], name[last:], name[last + 1 :])


def _authority(target: Target) -> tuple[bytes, bytes]:
    """Host in lower case and port; the port is empty where it is the scheme's own."""
    host, colon, port = target.authority.lower().rpartition(b":")
    if not colon or port.endswith(b"]"):
        host, port = target.authority.lower(), b""
    return host, b"" if port == _DEFAULT_PORTS.get(target.scheme) else port


def _rule(component: Any, matches: Any) -> Rule:
    if not isinstance(component, int) or not SCHEME <= component <= EXTENSION:
        raise ValueError("catu names a component of the URL that is not known here")
    if not isinstance(matches, dict) or not matches:
        raise ValueError(f"catu says nothing of {COMPONENTS[component]}")
    return Rule(component, tuple(_test(kind, value) for kind, value in matches.items()))


def _test(kind: Any, value: Any) -> Test:
    if kind not in MATCHES:
        raise ValueError("catu asks for a kind of match that is not known here")
    if kind in {SHA256, SHA512_256}:
        return _hash(kind, value)
    if kind == REGEX:
        if not isinstance(value, tuple) or len(value) != 1 or not isinstance(value[0], str):
            raise ValueError("catu's regex is not an array of one expression")
        return expression(value[0])
    if not isinstance(value, str):
        raise ValueError(f"catu's {MATCHES[kind]} is not a text")
    text = value.encode()
    if kind == EXACT:
        return text.__eq__
    return {PREFIX: _prefix, SUFFIX: _suffix, CONTAINS: _contains}[kind](text)


def _prefix(text: bytes) -> Test:
    return lambda value: value.startswith(text)


def _suffix(text: bytes) -> Test:
    return lambda value: value.endswith(text)


def _contains(text: bytes) -> Test:
    return lambda value: text in value


def _hash(kind: int, value: Any) -> Test:
    """The digest as bytes, or in hexadecimal as some makers write it."""
    if isinstance(value, str):
        try:
            value = bytes.fromhex(value)
        except ValueError:
            value = b""
    if not isinstance(value, bytes) or len(value) != 32:
        raise ValueError(f"catu's {MATCHES[kind]} is not a digest of 32 bytes")
    name = "sha256" if kind == SHA256 else "sha512_256"
    hashlib.new(name)  # raises ValueError where OpenSSL lacks it
    return lambda text: hashlib.new(name, text).digest() == value


def expression(pattern: str) -> Test:
    """Searches for a POSIX extended expression. Raises ValueError for one that is not, or that could run away.

    >>> expression("^/s/(bunny|bear)/v[0-9]+-")(b"/s/bear/v720-1f/00001.m4s")
    True
    """
    if len(pattern) > PATTERN_LIMIT or not pattern.isascii():
        raise ValueError(f"catu's expression is longer than {PATTERN_LIMIT} characters, or not ASCII")
    _check(pattern)
    try:
        search = re.compile(pattern.encode()).search
    except re.error as error:
        raise ValueError("catu's expression is not one") from error
    return lambda value: len(value) <= VALUE_LIMIT and search(value) is not None


def _check(pattern: str) -> None:
    at, repeats, before = 0, int(not pattern.startswith("^")), ""
    while at < len(pattern):
        atom = _ATOM.match(pattern, at)
        if atom is None:
            raise ValueError("catu's expression uses what POSIX extended expressions do not have")
        kind = str(atom.lastgroup)
        if kind in {"repeat", "count"}:
            if before not in {"escape", "set", "plain", "end"} or (before == "end" and atom.group() != "?"):
                raise ValueError("catu's expression repeats a group or a repetition")
            most = int(atom["most"] or 256) if atom["open"] else int(atom["least"] or 0)
            repeats += atom.group() in {"*", "+"} or most > 8
        at, before = atom.end(), kind
    if repeats > REPEATS_LIMIT:
        raise ValueError(f"catu's expression has more than {REPEATS_LIMIT} open repetitions")
