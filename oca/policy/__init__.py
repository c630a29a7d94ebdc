"""Admission and eviction, one file per policy. Pure: no clock, no randomness, no I/O."""
