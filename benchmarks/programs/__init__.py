"""The programs that are measured, one module each: how it sends points (`send_all`), and what a worker does.

Each reads where the services are from ``BENCH_BROKER_URL`` and ``BENCH_DATABASE_URL``, but for the course's
own, which finds them as it does for an attendee.
"""
