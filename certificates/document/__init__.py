"""The printed certificate."""
