"""Which machines are managed, how to reach them, how they are; lends connections to workers."""
