"""Plain frozen records that all stages pass on: case, request, answer, outcome."""
