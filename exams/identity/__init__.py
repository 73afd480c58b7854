"""Who sits here: face engines and the identity verdict they may give."""
