"""Pages of an enterprise manager."""
