"""The truth: ingest, packaging, immutable segments."""
