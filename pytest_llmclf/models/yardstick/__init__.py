"""Classical classifiers on the same images: what can be had without a language model."""
