"""What runs the course; nobody has to read it to take part."""
