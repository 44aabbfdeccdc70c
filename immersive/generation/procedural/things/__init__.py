"""What people and nature put outdoors, one module for each sort of thing."""
