"""`python -m oca` is the `oca` command."""

from oca.cli import main

main()
