"""Disks, layout, books: where the bytes lie. Never sockets."""
