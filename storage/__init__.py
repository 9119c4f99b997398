"""Pools, volumes, ISO and disk images."""
