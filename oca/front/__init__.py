"""A worker: bytes in, segment out. The hot path. Never writes to a disk, never talks to upstream."""
