"""Pages of an exam site."""
