"""The titles there are."""
