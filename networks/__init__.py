"""Virtual networks, bridges, leases."""
