"""What the public may look up: holders, enterprises, licences and enforcement records."""
