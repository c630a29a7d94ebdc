"""A directory as the origin's storage: `segments/<title>/<rendition>/<object>` and `titles/<title>.json`.

Reading trusts names only after checking them; publishing is in `publishing.py`.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Sequence
from pathlib import Path

from control.kit.errors import StorageError
from control.kit.logs import get_logger
from control.wire import CatalogPage, Title, WireError, decode, is_name
from origin.storage.port import Opened, Packaged, Published
from origin.storage.publishing import SEGMENTS, SUFFIX, TITLES, publish

_ABSENT = {errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP}

Version = tuple[int, int, int]
"""Inode, time of change and size of a title's file: another title is another version."""


class DirectoryStorage:
    """Titles in one directory. Safe to read while another process publishes into it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._known: dict[str, tuple[Version, Title]] = {}
        self._broken: dict[str, str] = {}
        self._log = get_logger(store=str(root))

    def __repr__(self) -> str:
        return f"<DirectoryStorage {self.root}, {len(self._known)} titles read, {len(self._broken)} unreadable>"

    @property
    def broken(self) -> dict[str, str]:
        """Titles whose file cannot be read, with the reason; they are left out of pages."""
        return dict(self._broken)

    def check(self) -> None:
        """Return when the directory is there and can be listed. Raises StorageError."""
        try:
            os.listdir(self.root)
        except FileNotFoundError as error:
            raise StorageError(
                f"store {self.root}: no such directory; create it, or publish into it with `oca ingest --store`"
            ) from error
        except OSError as error:
            raise StorageError(f"store {self.root}: cannot be read: {error.strerror}") from error

    def open(self, title: str, rendition: str, name: str) -> Opened | None:
        """The object of that key open for reading, or None. A link in an object's place is not followed."""
        if not (is_name(title) and is_name(rendition) and is_name(name)):
            return None
        path = self.root / SEGMENTS / title / rendition / name
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError as error:
            self._absent(error, path)
            return None
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            os.close(descriptor)
            return None
        return Opened(descriptor, found.st_size)

    def title(self, title_id: str) -> Title | None:
        """The published title, or None. Raises StorageError when its file is not a title."""
        if not is_name(title_id):
            return None
        path = self.root / TITLES / f"{title_id}{SUFFIX}"
        try:
            return self._read(title_id, path)
        except OSError as error:
            self._absent(error, path)
            return None

    def page(self, after: str, limit: int) -> CatalogPage:
        """Up to `limit` titles after the id `after`; unreadable ones are left out and logged once."""
        assert limit >= 1
        titles: list[Title] = []
        waiting = (title_id for title_id in self._ids() if title_id > after)
        for title_id in waiting:
            found = self._readable(title_id)
            if found is not None:
                titles.append(found)
            if len(titles) == limit:
                break
        more = next(waiting, None) is not None
        return CatalogPage(titles=tuple(titles), next_after=titles[-1].id if more else None)

    def publish(
        self, title: Title, renditions: Sequence[Packaged], *, replace: bool = False, dry_run: bool = False
    ) -> Published:
        """Make `title` visible, all of it or nothing. Creates the directory where it is missing."""
        return publish(self.root, title, renditions, replace=replace, dry_run=dry_run)

    def _ids(self) -> list[str]:
        try:
            names = os.listdir(self.root / TITLES)
        except FileNotFoundError:
            self.check()
            return []
        except OSError as error:
            raise StorageError(f"store {self.root / TITLES}: cannot be read: {error.strerror}") from error
        ids = [name.removesuffix(SUFFIX) for name in names if name.endswith(SUFFIX)]
        return sorted(title_id for title_id in ids if is_name(title_id))

    def _readable(self, title_id: str) -> Title | None:
        try:
            found = self.title(title_id)
        except StorageError as error:
            if self._broken.get(title_id) != str(error):
                self._log.warning("title_unreadable", title=title_id, error=str(error))
            self._broken[title_id] = str(error)
            return None
        self._broken.pop(title_id, None)
        return found

    def _read(self, title_id: str, path: Path) -> Title:
        """The title in `path`, decoded once per version of the file."""
        with path.open("rb") as file:
            found = os.fstat(file.fileno())
            version = (found.st_ino, found.st_mtime_ns, found.st_size)
            known = self._known.get(title_id)
            if known is not None and known[0] == version:
                return known[1]
            try:
                title = decode(file.read(), Title)
            except WireError as error:
                raise StorageError(f"{path}: not a title: {error}; publish it again") from error
        if title.id != title_id:
            raise StorageError(f"{path}: holds the title {title.id!r}; publish {title_id!r} again")
        self._known[title_id] = (version, title)
        return title

    def _absent(self, error: OSError, path: Path) -> None:
        """Return when `error` means that `path` is not there in a store that is; else raise StorageError."""
        if error.errno not in _ABSENT:
            raise StorageError(f"{path}: cannot be read: {error.strerror}") from error
        self.check()
