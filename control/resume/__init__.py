"""Where each viewer stopped."""
