"""Content to start with and a demo city, built by calling the domain's own operations."""
