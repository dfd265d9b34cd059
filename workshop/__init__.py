"""A workshop on task queues for geoprocessing: one task, four services, and what attendees look at."""
