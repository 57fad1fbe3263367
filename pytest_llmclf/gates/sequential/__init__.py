"""Verdicts before every image is asked: what all of them would say, told from some.

The images of an evaluation are a known set; the verdicts are about that set. They are asked in a
seeded random order, and a threshold is decided as soon as

* the images not yet asked cannot change its verdict any more (certain), or
* a test that may look after every answer rejects all totals with another verdict (`martingale`).
  Over all thresholds together it is wrong in at most 5% of orders, unless told otherwise: each of
  m thresholds may be wrong in 5%/m (Bonferroni). The 5% are over the random order: of a hundred
  seeds, about five at most mislead, whatever the model.

A comparison with committed predictions, if a gate test makes one, is decided likewise (`paired`),
and is one more of the m.

The test for PASS and the one for FAIL need not share the error of a threshold: at most one of the
two verdicts is wrong. With three verdicts (gates "with confidence") both PASS and FAIL are wrong
where all images would be INCONCLUSIVE, so there they do share it.

Both look only at the images without a gap from the first of the order on. Answers that come out
of turn wait: else quick answers, which may be the easy ones, would come first.
"""
