"""Pages, API and commands for each audience; the only package that knows HTTP."""
