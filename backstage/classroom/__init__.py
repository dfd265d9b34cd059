"""What a class needs: starters on branches, a reset that loses nothing, and a central queue."""
