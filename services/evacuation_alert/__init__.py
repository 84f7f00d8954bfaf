"""Turns river levels, rainfall and JMA bulletins into proposals at the five alert levels."""
