"""Making the books agree with what a scan found on a disk. No I/O: the scan is in `scan.py`."""

from __future__ import annotations

from control.kit.logs import get_logger
from oca.store.books import Books
from oca.store.disk import Disk
from oca.store.layout import RenditionKey
from oca.store.scan import Found, Survey

REMOVALS_LOGGED = 100


def agree(books: Books, disk: Disk, survey: Survey) -> list[RenditionKey]:
    """Make `books` say what `survey` found on `disk`; what contradicts another disk and must go from this one.

    Sets the disk's bytes in use.
    """
    found = {each.key for each in survey.listed} | survey.unchanged
    for entry in [entry for entry in books if disk.id in entry.parts and entry.key not in found]:
        books.remove(entry.key, disk.id)
    strays = [each.key for each in survey.listed if not _enter(books, disk, each)]
    disk.used_bytes = sum(entry.parts[disk.id].bytes + entry.index_bytes for entry in books if disk.id in entry.parts)
    _say(disk, survey, strays)
    return strays


def _enter(books: Books, disk: Disk, found: Found) -> bool:
    """Enter one rendition; False when another disk holds it with another index."""
    known = books.get(found.key)
    if known is not None and (known.index_xxh3, known.objects_total) != (found.index_xxh3, found.objects_total):
        books.remove(found.key, disk.id)
        if books.get(found.key) is not None:
            return False
    books.open(found.key, index_bytes=found.index_bytes, index_xxh3=found.index_xxh3, objects_total=found.objects_total)
    books.place(found.key, disk.id, found.part)
    return True


def _say(disk: Disk, survey: Survey, strays: list[RenditionKey]) -> None:
    log = get_logger(disk=disk.id)
    for what, why in survey.removed[:REMOVALS_LOGGED]:
        log.warning("scan_removed", what=what, why=why)
    for stray in strays[:REMOVALS_LOGGED]:
        log.warning("scan_removed", what=str(stray), why="another disk holds it with another index")
    log.info(
        "disk_scanned",
        unchanged=len(survey.unchanged),
        listed=len(survey.listed),
        removed=len(survey.removed) + len(strays),
        bytes=disk.used_bytes,
    )
