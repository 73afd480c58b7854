"""Catalogues and the chosen language."""
