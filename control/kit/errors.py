"""Errors that are somebody's to mend, and the exit status each gives a command.

A UserError is printed as one line without a traceback: it must say what was wrong, where, and what
would be right. Anything else that escapes is our bug and shows its traceback.
"""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """Exit statuses of every `oca` command. Documented in the README."""

    OK = 0
    FAILED = 1
    USAGE = 2
    CONFIG = 3
    ADDRESS = 4
    STORAGE = 5
    UNREACHABLE = 6
    INTERRUPTED = 130


class UserError(Exception):
    """Something the person who runs us can mend."""

    exit_status: Exit = Exit.FAILED


class ConfigError(UserError):
    """A configuration that cannot be used. The message starts with file and line where known."""

    exit_status = Exit.CONFIG


class AddressError(UserError):
    """An address that cannot be listened on."""

    exit_status = Exit.ADDRESS


class StorageError(UserError):
    """A directory or file that should hold our data and cannot."""

    exit_status = Exit.STORAGE


class UnreachableError(UserError):
    """Another process that should answer and does not."""

    exit_status = Exit.UNREACHABLE
