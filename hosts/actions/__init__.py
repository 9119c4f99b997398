"""What people may do to hosts."""
