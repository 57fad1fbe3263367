"""What outcomes add up to: counts, ratios, intervals, tests and the report."""
