"""Ways out for alerts."""
