"""Learned geometry, optional: depths, or poses and depths, from neural networks that the user brings."""
