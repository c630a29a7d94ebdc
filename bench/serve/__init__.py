"""The load bench of the segment server: peers, load, CPU per request, reports."""
