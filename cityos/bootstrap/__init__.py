"""The one place that joins ports to implementations: a module for each process of the city.

A process imports its own module only, so that none carries the weight of another's libraries.
"""
