"""What attendees work on: starters and solutions, checks, hints, and how far one is."""
