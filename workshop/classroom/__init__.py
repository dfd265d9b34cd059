"""What brings the machines of a class together: a central queue and database, and joining them."""
