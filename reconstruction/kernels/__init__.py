"""The CPU rasteriser: C++ sources, how they are compiled, and their ctypes binding."""
