"""The challenges: what a check looks at, and what it says."""
