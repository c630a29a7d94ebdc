"""Whether bytes of a file are in memory, asked without touching them.

`cachestat(2)` (Linux 6.5) where it is, else `preadv2(RWF_NOWAIT)` on a few pages. What cannot be asked
(tmpfs, another system) counts as in memory: there sendfile has never been seen to block.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os

_NR_CACHESTAT = 451
_PAGE = mmap.PAGESIZE


class _Range(ctypes.Structure):
    _fields_ = (("off", ctypes.c_uint64), ("len", ctypes.c_uint64))


class _Stat(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_uint64) for name in ("cache", "dirty", "writeback", "evicted", "recently_evicted"))


class Residency:
    """Asks the kernel. One per thread: the call's buffers are its own."""

    def __init__(self) -> None:
        self._syscall = ctypes.CDLL(None, use_errno=True).syscall
        self._range = _Range()
        self._stat = _Stat()
        self._range_at = ctypes.byref(self._range)
        self._stat_at = ctypes.byref(self._stat)
        self._has_cachestat = True

    def resident(self, fd: int, first: int, end: int) -> bool:
        """Whether all of [first, end) of `fd` is in memory."""
        if end <= first:
            return True
        if self._has_cachestat:
            self._range.off, self._range.len = first, end - first
            if self._syscall(_NR_CACHESTAT, fd, self._range_at, self._stat_at, 0) == 0:
                return bool(self._stat.cache >= (end + _PAGE - 1) // _PAGE - first // _PAGE)
            if ctypes.get_errno() == errno.ENOSYS:
                self._has_cachestat = False
            else:
                return True
        return all(_page_there(fd, position) for position in {first, (first + end) // 2, end - 1})


def _page_there(fd: int, position: int) -> bool:
    try:
        return bool(os.preadv(fd, [bytearray(1)], position, os.RWF_NOWAIT))
    except BlockingIOError:
        return False
    except OSError:
        return True
