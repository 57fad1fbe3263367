"""Whether a model knows when it is right: its confidence against what came out.

The confidence of an answer is the probability, among the labels, of the label that it *names*
(see `confidence`), which is what an application that takes the answer would rank by. An answer
without a label (`unparsed`) has confidence 0: it is wrong, comes last, and gives nothing to any
label. Images without an answer are in no number here, as in accuracy.

An answer that names a label but whose probabilities are unknown has no confidence. Where that is so
for more than 1% of the answers with a label, or for all there are, every number here is undefined
(`answers.LEAST_KNOWN`). Up to there calibration error and Brier score are of the answers that have
one, and say of how many; in accuracy at a coverage the others are accepted last.
"""
