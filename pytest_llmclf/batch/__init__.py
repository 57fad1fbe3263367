"""Ask about every image of a manifest of any length, outside of pytest.

declared   the evaluation that a file declares
task       what is asked of whom: an evaluation without its cases
rows       the manifest, line by line
asking     rows through the engine, in order, a bounded number at a time
tally      what became of them, and the file of failures
local      all of it in this process
on_ray     the same through Ray Data, on several processes or machines

Nothing is judged here. Answers go to the store that pytest reads, under exactly the digests that
pytest computes, so that a run of the evaluation afterwards asks nothing.
"""
