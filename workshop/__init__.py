"""A workshop on task queues for geoprocessing: its tasks, its services, and what attendees look at.

Whoever imports this package reaches its broker and its database by its own settings: what another project
set for Celery or PostgreSQL in the environment would win over the addresses that the code names.
"""

import os

for _name in [name for name in os.environ if name.startswith(("CELERY_", "PG"))]:
    del os.environ[_name]
