"""What instructors use, and what moves a course from one challenge to the next."""
