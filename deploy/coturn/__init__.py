"""coturn, the TURN relay for calls that find no direct way, started by `run`."""
