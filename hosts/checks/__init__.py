"""What must be so for a host to be of use: small questions, asked one after another, each with its fix."""
