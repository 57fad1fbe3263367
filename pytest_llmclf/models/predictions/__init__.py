"""Answers of any other program, played back like those of a model."""
