"""The machinery that keeps tasks from getting lost; `workshop.tasks` stands on it and stays readable."""
