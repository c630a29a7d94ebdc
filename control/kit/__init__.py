"""What every process needs: settings, logs, metrics, lifecycle, clock, HTTP scaffolding.

The kit knows no service and no message. What a service decides is never here.
"""
