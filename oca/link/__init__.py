"""What front workers and their keeper say to each other over a Unix socket."""
