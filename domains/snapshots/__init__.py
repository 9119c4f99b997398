"""Moments that a machine can go back to: how one is kept, what depends on it, and what was seen of it."""
