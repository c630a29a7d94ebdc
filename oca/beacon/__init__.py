"""What the appliance tells steering and fill: heartbeat, inventory, demand."""
