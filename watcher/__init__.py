"""Keeps the inventory true: one isolated lane per host, events in, rows and pushes out."""
