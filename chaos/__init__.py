"""Faults and attacks, done for real and counted: `make chaos`."""
