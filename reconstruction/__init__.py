"""Frames become splats. Geometry and numerics; imports nothing of ours."""

__version__ = "0.1.0"
