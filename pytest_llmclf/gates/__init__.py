"""Thresholds on a report and what they come to.

A gate reads like ``accuracy >= 0.75`` or ``recall[7] >= 0.6, unparsed_rate <= 0.02``, about these
images; or, about images like these, ``accuracy >= 0.75 with 95% confidence``. It is parsed when it
is declared, so that a slip of the pen is known before any question is asked.

gate, expression, threshold          what is asked: the value, its grammar, one metric and a number
reading                              what each threshold comes to on a whole run
evidence, cluster_evidence, bounds   how sure a metric is about images like these
feasible                             what a number of images can show
sequential                           deciding on a part of the images, in a random order
judging                              the verdicts; the one module that knows both readings
looks                                how often a gate was looked at
stopped                              numbers of a run that stopped early, which are not compared
unreadable                           an evaluation whose answers name no label
"""
