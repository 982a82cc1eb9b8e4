"""Personalities: instruments as their controllers see them."""
