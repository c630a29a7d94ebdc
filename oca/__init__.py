"""The appliance: what an ISP racks, and what players stream from."""
