"""The console proxy: its own process between browsers and the screens of virtual machines.

It faces the network with a Redis URL and nothing else: no Django, no libvirt, no room but `console.tickets`.
"""
