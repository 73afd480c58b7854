"""The documented JSON API."""
