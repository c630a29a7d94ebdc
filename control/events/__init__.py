"""What players report: counted, and the latest of each session kept to be shown."""
