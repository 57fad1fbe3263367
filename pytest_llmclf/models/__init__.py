"""Who answers: the models that images are put to, each behind `base.Backend`."""
