"""The control plane, and what travels between processes."""
