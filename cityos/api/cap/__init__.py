"""The alerts of a city as CAP 1.2 documents and an Atom feed of them."""
