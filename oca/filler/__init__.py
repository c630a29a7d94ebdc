"""Carrying out tonight's plan inside its window."""
