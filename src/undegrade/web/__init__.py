"""What is reached over HTTP: the service, and a client of it."""
