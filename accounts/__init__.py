"""People, teams, roles, tokens; the one table of who may do what."""
