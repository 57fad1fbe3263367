"""Which labels of a dataset are probably wrong.

Nothing here changes a label: what is found is proposed to a person, with its reasons.

Models, and whatever else named labels for the same images, are sources (`label_sources`). Their
probabilities are pooled (`pooling`), held against the given label by the rules of confident
learning (`confident_learning`), joined with what copies and near-copies are labelled (`copies`),
and ranked (`review`).
"""
