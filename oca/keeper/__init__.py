"""The one process that owns the disks of an appliance, and the flow between its rooms."""
