"""The whole system on one machine, as separate processes, telling a story."""
