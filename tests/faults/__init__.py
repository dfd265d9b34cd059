"""Breaks a private stack by a seeded timetable and counts what became of every task."""
