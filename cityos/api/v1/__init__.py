"""The city's own open API, version 1."""
