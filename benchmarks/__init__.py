"""Measurements of the panel beside its peers; each module prints a table and ends with one line of JSON."""
