"""Every server by its name in options and reports."""

from __future__ import annotations

from bench.serve.peers.caches import TRAFFIC_SERVER, VARNISH
from bench.serve.peers.file_servers import AIOHTTP, NGINX, NGINX_THREADS, OCA
from bench.serve.peers.peer import Peer

OURS = OCA.name
PEERS: dict[str, Peer] = {peer.name: peer for peer in (OCA, NGINX, NGINX_THREADS, VARNISH, TRAFFIC_SERVER, AIOHTTP)}
"""Ours first: ratios are ours to each of the others."""
