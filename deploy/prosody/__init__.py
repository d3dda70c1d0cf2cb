"""Prosody with our own modules, started by `run`."""
