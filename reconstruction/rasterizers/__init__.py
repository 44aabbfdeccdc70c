"""Pictures from splats, and gradients from pictures. `draw` needs no torch; the other modules do."""
