"""The servers that are compared: one file for each kind, its configuration files beside it.

A new peer is one file here, its configuration, and one line in `registry`.
"""
