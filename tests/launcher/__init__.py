"""The launcher: what `bin/panel` promises, on real processes."""
