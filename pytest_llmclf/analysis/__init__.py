"""What is found in reports: comparisons, diagnosis, consistency, answers read anew."""
