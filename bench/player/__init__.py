"""A headless player: HLS and DASH, ABR, content steering, failover."""
