"""The challenges: where the marked source of the course is, and the starters that are made from it."""
