"""What a course with many people needs: starters on branches, a reset that loses nothing, a central queue."""
