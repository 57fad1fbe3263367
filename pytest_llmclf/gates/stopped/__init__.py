"""Numbers of a run that stopped early: to be read, not compared.

A run stops when its gates are decided, that is, when their numbers look extreme. What another
comparison would come to on all images is not known then, so each one ends as INCONCLUSIVE, with
what was compared and the remedy. Numbers are printed, formatted and calculated with as ever, and
what is calculated from them is not compared either. ``float(...)`` and ``int(...)`` take a bare
number out, for a log or a file. Single outcomes are facts and stay what they are.
"""
