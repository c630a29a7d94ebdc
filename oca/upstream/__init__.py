"""Fetching what is missing from peers, parent and origin, once however many ask."""
