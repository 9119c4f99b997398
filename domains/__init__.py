"""Virtual machines: what we know of them and what may be done to them."""
