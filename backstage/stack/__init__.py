"""Starting, watching, reloading and stopping the services of the course on one machine."""
