"""Where the origin keeps segments and titles."""
