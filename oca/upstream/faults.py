"""What can go wrong with a source, and with a fetch. Pure."""

from __future__ import annotations


class SourceError(Exception):
    """A source did not deliver. `source` is its name."""

    def __init__(self, source: str, words: str) -> None:
        super().__init__(f"{source}: {words}")
        self.source = source
        self.words = words


class UnreachableError(SourceError):
    """Nobody answers there: what is asked for makes no difference."""


class BrokenError(SourceError):
    """It answered with an error, broke off or was too slow: another object may fare better."""


class AbsentError(SourceError):
    """It answered that it does not have the object. `loop`: it said that the request came round (RFC 8586)."""

    def __init__(self, source: str, words: str, *, loop: bool = False) -> None:
        super().__init__(source, words)
        self.loop = loop


class LyingError(SourceError):
    """What it sent is not what the index says: wrong length, wrong checksum, or no index at all."""


class RefusedError(Exception):
    """A key cannot be had now. `status` is the HTTP status for whoever asked, `reason` the words."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"{status}: {reason}")
        self.status = status
        self.reason = reason
