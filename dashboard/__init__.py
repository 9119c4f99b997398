"""Overview, search and command palette: reads every room, owns nothing."""
