"""Adapters: one folder for each source that the city listens to. Found by manifest."""
