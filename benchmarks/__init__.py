"""Measurements that the course's choices rest on; each module can be run with ``python -m``."""
