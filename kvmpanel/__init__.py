"""Puts the parts together: settings, addresses, the ASGI site and the queue. Imported by nobody."""
