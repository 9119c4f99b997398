"""Real libvirt hosts and real guests for tests, made from Debian's packages on the machine that runs the tests."""
