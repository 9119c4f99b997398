"""Loaded by workers at start: makes this room's procedures known to the engine."""

import domains.procedures  # noqa: F401
