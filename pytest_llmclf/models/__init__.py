"""Who answers: the models that pictures are put to, each behind `base.Backend`."""
