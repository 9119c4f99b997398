"""Vocabulary every app shares and none owns: events, live fragments, units, errors, template tags."""
