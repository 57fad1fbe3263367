"""What is wrong with a model, in findings that each rest on a test.

All tests are exact, look at answered images only, and see no order of the outcomes. Six kinds of
claim are tested (worse than guessing, attractor, never answered, confused pair, one-way, weak
slice); each has a sixth of the 5% and shares it out among its hypotheses by Holm's method. A model
without any of these defects therefore gets any of these findings in at most 5% of all runs.
`NoBetter` is the one finding that is made when a test finds *nothing*, and `UnparsedKind` counts.

What no defect is, so what a test must not mistake for one: wrong answers that are spread evenly;
classes of unequal size or difficulty; answers that are mere guesses; look-alike classes that are
taken for each other. An attractor must therefore take more than *twice* an even share of the other
classes' wrong answers, and more than it gives back, both without its best source; a pair must have
more than twice an even share of its wrong answers within itself.
"""
