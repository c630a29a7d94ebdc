"""The edge of the control plane: HTTP routes and the web page."""
