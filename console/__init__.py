"""Lets one person see one screen: tickets, the console's page, and the proxy, which is a process of its own."""
