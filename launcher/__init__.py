"""What `bin/panel` hands over to: plain standard-library Python that prepares, starts and stops the panel's parts."""
