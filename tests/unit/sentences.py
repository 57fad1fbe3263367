"""The sentences that claim something, each with the rule that must hold where it is printed.

Whoever writes or changes one finds its kin here: the module, the words, when they may be printed,
and the test that tries to make them false. `test_sentences` holds the table to the code, and finds
claims that are not in it. What was not shown is never written "no".
"""

from __future__ import annotations

from typing import Final, NamedTuple


class Sentence(NamedTuple):
    """One sentence.

    Attributes:
        where: Module that has it, in the package.
        words: A part of it, as the code has it; ``{}`` for what is filled in.
        rule: When it may be printed.
        test: File in ``tests/unit`` and function, which tries to make it false.
    """

    where: str
    words: str
    rule: str
    test: str


SENTENCES: Final = (
    Sentence(
        "analysis/comparison/baseline.py",
        "{} broken and {} would fail it",
        "Of a comparison that passed on all images: so many broken, with as many fixed, fail it, "
        "and one fewer does not.",
        "test_power.py::test_a_pass_says_what_it_could_have_seen",
    ),
    Sentence(
        "analysis/comparison/baseline.py",
        "with {} a loss cannot fail: it takes {} broken, and {}",
        "The same, and fewer were right than would have to be broken.",
        "test_power.py::test_a_pass_says_what_it_could_have_seen",
    ),
    Sentence(
        "analysis/comparison/baseline.py",
        "{} would fail {} of runs{}",
        "The exact chance that a true loss of so many points fails, rounded down, with as large a "
        "share fixed.",
        "test_power.py::test_a_pass_says_what_it_could_have_seen",
    ),
    Sentence(
        "analysis/comparison/baseline.py",
        ": so few images mostly miss it, see `llmclf plan baseline`",
        "A true loss of so many points passes on as many images in more than half of runs.",
        "test_power.py::test_a_pass_says_what_it_could_have_seen",
    ),
    Sentence(
        "analysis/comparison/baseline.py",
        "significantly better",
        "More fixed than broken, and the comparison's own test is below 5%.",
        "test_baseline.py",
    ),
    Sentence(
        "analysis/comparison/baseline.py",
        "no net loss",
        "As many fixed as broken, or more: counted on these images.",
        "test_baseline.py",
    ),
    Sentence(
        "analysis/comparison/baseline.py",
        "a net loss of {}, which chance alone may explain",
        "More broken than fixed, and the test is at 5% or above.",
        "test_baseline.py",
    ),
    Sentence(
        "analysis/comparison/baseline.py",
        "images not asked about: {}; what they would say is not known",
        "The run stopped early, and the comparison did not decide when.",
        "test_early_paired.py",
    ),
    Sentence(
        "analysis/comparison/margin.py",
        "a loss of {} or more is excluded",
        "The lower end, 95% sure by itself, is above the margin.",
        "test_margin.py",
    ),
    Sentence(
        "analysis/comparison/margin.py",
        "a loss of {} or more is shown",
        "The upper end, 95% sure by itself, is below the margin.",
        "test_margin.py",
    ),
    Sentence(
        "analysis/comparison/margin.py",
        "a loss of {} or more is neither excluded nor shown",
        "Neither; more images may tell, and need not where the truth is the margin.",
        "test_margin.py",
    ),
    Sentence(
        "analysis/label_review/reasons.py",
        "the same bytes are labelled {} as {}",
        "The other image has the same digest and another label.",
        "test_label_review.py::test_every_candidate_is_true_of_the_answers",
    ),
    Sentence(
        "analysis/label_review/reasons.py",
        "almost the same image is labelled {} as {} (",
        "The hashes of both differ in so few bits, and the other has another label.",
        "test_label_review.py::test_near_copies_count_as_far_as_they_mostly_agree",
    ),
    Sentence(
        "analysis/label_review/reasons.py",
        "gives {} a probability of",
        "Mean over the askings that came with probabilities; more than the given label got.",
        "test_label_review.py::test_every_candidate_is_true_of_the_answers",
    ),
    Sentence(
        "analysis/label_review/reasons.py",
        "on average for images labelled",
        "The pooled probability reaches its mean over the images that bear this label.",
        "test_label_review.py::test_every_candidate_is_true_of_the_answers",
    ),
    Sentence(
        "gates/sequential/verdict_lines.py",
        "{} would {} the comparison, too",
        "All images would pass or fail it: certain, or wrong in at most 5% of orders.",
        "test_early_paired.py",
    ),
    Sentence(
        "gates/sequential/verdict_lines.py",
        "too few to tell what {} would give",
        "Undecided when the run stopped.",
        "test_early.py",
    ),
    Sentence(
        "gates/sequential/verdict_lines.py",
        "{} would give {}, too",
        "The verdict that all images would come to: certain, or wrong in at most 5% of orders.",
        "test_early.py",
    ),
    Sentence(
        "gates/reading.py",
        "images of more than one {} would tell more",
        "All images are of one cluster: more of it would not.",
        "test_clusters.py::test_one_scene_decides_nothing",
    ),
    Sentence(
        "gates/reading.py",
        "one look at about {} {} would decide it",
        "So many in all decide in 80% of draws if the truth is the measured value.",
        "test_sample_size.py::test_a_proportion_is_decided_in_80_of_100_draws",
    ),
    Sentence(
        "gates/reading.py",
        "if the rate stays, no number of images would decide it",
        "The measured value is the bound itself; where it only takes more than are looked for, "
        "that is said instead.",
        "test_gate.py::test_too_few_images_say_how_many_it_takes",
    ),
    Sentence(
        "reporting/calibration.py",
        "with confidences that were exactly right it would be about {}",
        "The mean calibration error if rights are drawn at these very confidences.",
        "test_calibration.py",
    ),
    Sentence(
        "reporting/comparison.py",
        "{} is better on {}, {} on ",
        "Counts of images that one of both got right; no claim about others.",
        "test_render_comparison.py::test_a_difference_is_said_in_plain_words",
    ),
    Sentence(
        "reporting/comparison.py",
        "that one is better is not shown",
        "The test is at 5% or above, or as many images go either way.",
        "test_render_comparison.py::test_a_chance_stays_on_the_side_of_the_level_that_the_sentence_claims",
    ),
    Sentence(
        "reporting/comparison.py",
        "{} is significantly better",
        "The test, for all comparisons at once, is below 5%, and so is the interval beyond 0.",
        "test_clustered_tests.py::test_significant_and_settled",
    ),
    Sentence(
        "reporting/comparison.py",
        "they differ significantly; which is better on further images is open",
        "The test is below 5%, and one unseen group may turn it round; no word then says more.",
        "test_clustered_tests.py::test_no_word_says_more_than_the_sentence",
    ),
    Sentence(
        "reporting/comparison.py",
        "both are right on the same images",
        "Neither is right alone anywhere, and some image both got right; else neither is right on "
        "any of them.",
        "test_render_comparison.py::test_who_is_never_right_is_not_called_right",
    ),
    Sentence(
        "reporting/comparison.py",
        "if {}, chance alone would give a difference like this in {}{} of cases",
        "The p-value, as an upper bound where it is one, on its side of 5%; nothing where it is 1.",
        "test_render_comparison.py::test_a_chance_stays_on_the_side_of_the_level_that_the_sentence_claims",
    ),
    Sentence(
        "reporting/comparison.py",
        "B is better",
        "The word is better: the test, for all comparisons at once, is below 5%, its interval is "
        "beyond 0, and all images have an answer.",
        "test_compare_command.py::test_the_last_line_says_what_it_comes_to",
    ),
    Sentence(
        "reporting/comparison.py",
        "A and B name the same labels {}",
        "No image is answered by another label, or by none, on one side, and none lacks an answer.",
        "test_compare_command.py::test_the_last_line_says_what_it_comes_to",
    ),
    Sentence(
        "reporting/comparison.py",
        "not told apart {}: that A or B is better is not shown",
        "Some image is answered differently, and the test is at 5% or above, or as many images go "
        "either way.",
        "test_compare_command.py::test_the_last_line_says_what_it_comes_to",
    ),
    Sentence(
        "reporting/comparison.py",
        "B is within the margin",
        "A loss of the margin is excluded, and neither better nor the same answers is said.",
        "test_compare_command.py::test_the_last_line_says_what_it_comes_to",
    ),
    Sentence(
        "reporting/comparison.py",
        "B is worse",
        "`Compared.worse`: the word and exit code 1.",
        "test_clustered_tests.py::test_no_word_says_more_than_the_sentence",
    ),
    Sentence(
        "reporting/diagnosis.py",
        "Not shown to be right more often than {}",
        "The binomial tail, or McNemar's test, is above its half of 5%, from 20 answers on, on all "
        "images of the run.",
        "test_diagnosis.py",
    ),
    Sentence(
        "reporting/diagnosis.py",
        "{} is never the answer, though",
        "No answer names it, and neither guessing nor seeing it half of the time explains that.",
        "test_diagnosis.py",
    ),
    Sentence(
        "reporting/diagnosis.py",
        "Other labels that are never the answer: {}",
        "How many more findings of the kind there are.",
        "test_render_diagnosis.py",
    ),
    Sentence(
        "reporting/diagnosis.py",
        "Worse than guessing",
        "More wrong labels than guessing gives, at a sixth of 5%.",
        "test_diagnosis.py::test_swapped_labels_are_worse_than_guessing",
    ),
    Sentence(
        "reporting/diagnosis.py",
        "spread evenly it would be {}",
        "The other classes' wrong answers over all labels but their own.",
        "test_diagnosis.py",
    ),
    Sentence(
        "reporting/doubtful_labels.py",
        "whichever of these labels ",
        "Every choice of wrong labels among those listed, and of right ones for them, gives an "
        "accuracy from the lower to the upper end.",
        "test_label_truth.py::test_no_choice_of_wrong_labels_leads_out_of_the_range",
    ),
    Sentence(
        "reporting/doubtful_labels.py",
        "another label is at least as likely as the given one",
        "The odds of the proposed label against the given one are at least even, under the "
        "assumption that is told with it.",
        "test_doubtful_labels.py",
    ),
    Sentence(
        "reporting/probe_lines.py",
        "Not shown that answers follow the position in the label list",
        "Of the answers that change with the list, the two-sided sign test of those that go up in "
        "it is above 5%, for all probes at once.",
        "test_probed.py::test_moves_both_ways_follow_no_position",
    ),
    Sentence(
        "reporting/probe_lines.py",
        "Answers follow the position in the label list, towards its {}",
        "That test is at 5% or below; more answers go the way that is named.",
        "test_probed.py::test_answers_that_move_up_a_list_follow_the_position",
    ),
    Sentence(
        "reporting/probe_lines.py",
        "Not shown that wrong answers lean to what a grey image is called",
        "Most of the grey images get one label, and of the wrong answers not clearly more than an "
        "even spread name it, or it gives as many.",
        "test_probed.py::test_a_model_to_which_nothing_matters_is_left_alone",
    ),
    Sentence(
        "reporting/probe_lines.py",
        "Wrong answers lean to what a grey image is called",
        "It takes more than an even spread, and more than it gives, each at 5% for all probes; of "
        "two labels more than it gives.",
        "test_probed.py::test_of_two_labels_the_rates_of_both_are_compared",
    ),
    Sentence(
        "reporting/probe_lines.py",
        "Not shown that the example draws answers",
        "The test of sign flips, of images that name the example of either question, is above 5%.",
        "test_probed.py::test_a_model_to_which_nothing_matters_is_left_alone",
    ),
    Sentence(
        "reporting/probe_lines.py",
        "The example draws answers: {}",
        "That test is at 5% or below, and examples are named more often than elsewise.",
        "test_probed.py::test_an_example_draws_what_it_names_in_either_question",
    ),
    Sentence(
        "reporting/probe_lines.py",
        "The example keeps answers away: {}",
        "That test is at 5% or below, and examples are named less often than elsewise.",
        "test_probed.py::test_an_example_may_keep_answers_away",
    ),
    Sentence(
        "reporting/probe_lines.py",
        "Not shown that right answers hang on the size of the image",
        "McNemar's test of every size is above 5%, for all probes at once.",
        "test_probed.py::test_a_model_to_which_nothing_matters_is_left_alone",
    ),
    Sentence(
        "reporting/probe_lines.py",
        "Right answers hang on the size of the image: {}",
        "McNemar's test of a size is at 5% or below; the remedy is that size's.",
        "test_probed.py::test_a_size_breaks_what_was_right",
    ),
    Sentence(
        "reporting/probe_lines.py",
        "a bias of 10 points is found in {} of such samples",
        "The power of the paired test at an even share of 5%, with the noise of the rarer way.",
        "test_probed.py::test_a_planted_bias_is_found",
    ),
    Sentence(
        "reporting/leaderboard.py",
        "{} is shown to be better than {}",
        "Every other task is worse than it by a test below 5% for all pairs (Holm), and settled.",
        "test_render_leaderboard.py::test_the_sentence_is_as_true_as_the_table",
    ),
    Sentence(
        "reporting/leaderboard.py",
        "which is best is not shown: {} has as many right answers as {}{}",
        "Of all that are not shown to be worse the answers right are as many as of the first.",
        "test_render_leaderboard.py::test_the_sentence_is_as_true_as_the_table",
    ),
    Sentence(
        "reporting/leaderboard.py",
        "which is best is not shown: none has more right answers than {}, but {}{} {} not shown to "
        "be worse",
        "Of some other task it is not shown that it is worse; the first has the most right.",
        "test_render_leaderboard.py::test_the_sentence_is_as_true_as_the_table",
    ),
    Sentence(
        "reporting/leaderboard.py",
        "shown to be the best",
        "Said of the first row where every other task is shown to be worse.",
        "test_leaderboard.py::test_the_winner_is_named_only_when_it_is_shown",
    ),
    Sentence(
        "reporting/leaderboard.py",
        "none has more right; not shown to be the best",
        "The first row, where some other task is not shown to be worse.",
        "test_leaderboard.py::test_of_equal_tasks_none_is_the_best",
    ),
    Sentence(
        "reporting/leaderboard.py",
        "not told apart from the best",
        "The test of it and the first is at 5% or above for all pairs, or not settled.",
        "test_leaderboard.py::test_images_of_a_group_are_one_draw",
    ),
    Sentence(
        "reporting/leaderboard.py",
        "shown to be worse",
        "The test of it and the first is below 5% for all pairs; false in at most 5% of runs.",
        "test_leaderboard.py::test_equal_tasks_are_seldom_told_apart",
    ),
    Sentence(
        "reporting/leaderboard.py",
        "all tasks are right on {} of {}{}, {}one alone on {}, none on {}",
        "Counts of the images that all tasks answered.",
        "test_leaderboard.py::test_kinds_are_counted",
    ),
    Sentence(
        "reporting/leaderboard.py",
        "looked at when it stopped early; what was not looked at is not judged",
        "Some task stopped early: numbers are of what it had looked at, without intervals.",
        "test_leaderboard.py::test_what_was_not_looked_at_is_not_judged",
    ),
    Sentence(
        "reporting/yardstick_lines.py",
        "{} is right on {} of {} than {}",
        "Counts of the images that both answered; the interval is that of the paired difference.",
        "test_yardstick_lines.py::test_the_counts_are_those_of_both",
    ),
    Sentence(
        "reporting/yardstick_lines.py",
        "these are the best of {} on these very images; the page compares the {}",
        "More pairs than three: the first model and the first yardstick of the leaderboard.",
        "test_yardstick_lines.py::test_of_many_pairs_the_best_of_either_is_told",
    ),
    Sentence(
        "reporting/yardstick_lines.py",
        "has learnt from {}",
        "A yardstick beside a model that is none; its own set unless it says train=.",
        "test_yardstick_lines.py::test_what_was_learnt_from_is_said",
    ),
    Sentence(
        "reporting/html/page_data.py",
        "Nothing stands out beyond chance: that does not show that nothing is wrong.",
        "Images were answered, the run did not stop early, and no test found anything.",
        "test_stopped_figures.py::test_the_page",
    ),
    Sentence(
        "analysis/consistency.py",
        "not shown to be more than its own",
        "The permutation test of flips is at 5% or above.",
        "test_stability.py::test_the_sentence_claims_what_is_shown",
    ),
    Sentence(
        "metrics/wording.py",
        "fair estimate of what {} would give",
        "Beside every figure of a run that stopped early.",
        "test_stopped_figures.py",
    ),
)
