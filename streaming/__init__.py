"""Splats become glTF assets and travel to viewers. No torch."""

__version__ = "0.1.0"
