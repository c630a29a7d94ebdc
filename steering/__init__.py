"""Ranks appliances for each client and speaks HLS and DASH content steering."""
