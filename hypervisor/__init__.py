"""Says in our words what libvirt says in its own: a typed layer, plain Python.

Specs go in, facts come out, errors say what to do next. Nothing outside this package imports `libvirt`,
and nothing inside it knows Django.
"""
