"""Asks ahead of the running test, so that a test usually finds its answer waiting.

Jobs are asked in the order in which tests will run, by a few threads a model; how far ahead is
bounded. Every answer is stored the moment it arrives, and no question is asked twice at a time,
whoever wants it. What goes wrong with one job ends as that job's `error` outcome; nothing here
raises into a test except a defect of this program.
"""
