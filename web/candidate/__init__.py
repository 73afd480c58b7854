"""Pages of a candidate for a certificate exam."""
