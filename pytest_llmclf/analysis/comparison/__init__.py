"""Two answers to the same images, compared image by image.

One comparison for three uses: this run against the committed predictions, two models in one run,
and two runs. The side that the other is held against comes first, as `before`.
"""
