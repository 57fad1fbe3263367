"""Each kind of answer that the strict reader reads, beside its like that it must not read."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_llmclf.prompting.labels import LabelSet
from pytest_llmclf.prompting.readers import read_label

ANIMALS = LabelSet.of(["cat", "dog", "sheep", "spider"])
DIGITS = LabelSet.of("0123456789")
COUNTS = LabelSet.of(["1", "2", "3", "5", "10", "12"])
FINGERS = LabelSet.of("012345")
YES_NO = LabelSet.of(["yes", "no"])
PARTS = LabelSet.of(["ok", "scratch", "dent"])
SIDES = LabelSet.of(["left", "right"])
SCANS = LabelSet.of(["normal", "pneumonia", "tuberculosis", "covid"])
SHAPES = LabelSet.of(["circle", "square", "triangle", "rectangle"])
SUITS = LabelSet.of(["hearts", "diamonds", "clubs", "spades"])
WASTE = LabelSet.of(["cardboard", "glass", "metal", "paper", "plastic"])
SIGNS = LabelSet.of(["stop", "yield", "speed limit 50", "roundabout"])
TUMORS = LabelSet.of(["notumor", "glioma", "meningioma"])
LISTED = LabelSet.of(["Siamese cat, Siamese", "tabby, tabby cat", "tiger cat", "crane", "crane, x"])
PAIRS = LabelSet.of(["red, round", "red, square", "blue, round"])
PAGES = LabelSet.of(["login page", "settings page"])

READ = [
    # Fields of JSON and XML.
    (ANIMALS, "cat", '{"diagnosis": "cat", "confidence": 0.82}'),
    (ANIMALS, "cat", '{"prediction": {"class": "cat", "score": 0.9}}'),
    (ANIMALS, "cat", '{"result": "cat", "reason": "not a dog"}'),
    (ANIMALS, "cat", '{"animal": "cat", "species": "cat"}'),
    (DIGITS, "7", '{"digit": 7, "confidence": 0.98}'),
    (YES_NO, "yes", '{"has_helmet": "yes", "confidence": "high"}'),
    (ANIMALS, "cat", "<output><category>cat</category></output>"),
    (ANIMALS, "cat", "<r><category>cat</category><confidence>0.9</confidence></r>"),
    (ANIMALS, "cat", "Sure:\n<category>cat</category>"),
    (ANIMALS, "cat", "<why>No dog has such ears.</why><category>cat</category>"),
    (ANIMALS, "cat", '<label confidence="1">cat</label>'),
    (ANIMALS, None, '{"animal": "fox", "background": "sheep"}'),
    (ANIMALS, None, '{"animal": "lion", "similar_to": "cat"}'),
    (ANIMALS, None, '{"prediction": "cat", "alternative": "dog"}'),
    (ANIMALS, None, '{"species": "cat", "species": "dog"}'),
    (ANIMALS, None, '{"labels": ["cat", "dog"]}'),
    (ANIMALS, None, '{"cat": 0.9, "dog": 0.1}'),
    (ANIMALS, None, '{"label": null, "guess": "cat"}'),
    (ANIMALS, None, '{"species": "unknown", "closest": "cat"}'),
    (ANIMALS, None, '{"species": "cat", "notes": "might be a dog"}'),
    (DIGITS, None, '{"confidence": 1, "digit": 14}'),
    (DIGITS, None, '{"x": 7, "z": 0.5}'),
    (YES_NO, None, '{"helmet": "yes", "vest": "no"}'),
    (YES_NO, None, '{"is_blurry": "no", "helmet": "unclear"}'),
    (ANIMALS, None, "<a>cat</a><b>dog</b>"),
    (ANIMALS, None, "<animal>fox</animal><background>cat</background>"),
    (ANIMALS, None, "<not>cat</not>"),
    (ANIMALS, None, "It is a dog. <x>cat</x>"),
    # The last line behind reasoning.
    (SCANS, "normal", "The lungs are clear. There is no pneumonia.\n\nnormal"),
    (SCANS, "normal", "The lungs are clear, so pneumonia is unlikely. Nothing else.\n\nnormal"),
    (ANIMALS, "cat", "The animal could be a dog or a cat. The whiskers decide.\n\ncat"),
    (YES_NO, "no", "There is a helmet. It is not on the head of the person.\n\nno"),
    (ANIMALS, None, "It is a dog with a long snout and a leash on it.\n\ncat"),
    (ANIMALS, None, "The image does not look like any of the options.\n\ncat"),
    (ANIMALS, None, "None of them fits, as far as I can say.\ncat"),
    (ANIMALS, None, "The picture is dark and nothing is visible. I am not sure.\n\ncat"),
    (YES_NO, None, "There is no image here that I could look at now.\n\nno"),
    # Ways to assert.
    (ANIMALS, "cat", "This is most likely a cat."),
    (ANIMALS, None, "This is most likely a cat, possibly a dog."),
    (ANIMALS, None, "This is not most likely a cat."),
    (ANIMALS, None, "Is it most likely a cat?"),
    (ANIMALS, None, "most likely a cat or a dog"),
    (ANIMALS, None, "It is more likely a cat than a dog"),
    (ANIMALS, None, "A cat is most likely to be found here."),
    (SCANS, "pneumonia", "Opacities in the right lung are consistent with pneumonia."),
    (SCANS, None, "The findings are not consistent with pneumonia."),
    (SCANS, None, "The heart size is consistent with normal."),
    (SCANS, None, "It is consistent with pneumonia, though covid cannot be excluded."),
    (SCANS, "pneumonia", "It is pneumonia; tuberculosis is ruled out."),
    (SUITS, "clubs", "The card belongs to the suit of clubs."),
    (SUITS, None, "It is not of the suit of clubs."),
    (WASTE, "paper", "It should go in the paper bin."),
    (WASTE, "glass", "This goes into glass."),
    (WASTE, None, "The key goes in the paper."),
    (WASTE, None, "It should not go in paper."),
    (WASTE, None, "It should go in paper or glass."),
    (WASTE, None, "Glass is collected on Tuesdays."),
    (ANIMALS, None, "Cats are loved by many."),
    (ANIMALS, "cat", "cats are shown"),
    (PAGES, "login page", "The screenshot shows the login page of a web application."),
    (SIGNS, "speed limit 50", "A speed limit 50 km/h sign"),
    (SIGNS, "roundabout", "Roundabout ahead"),
    (SIGNS, None, "Stop ahead"),
    # How sure it is.
    (DIGITS, "2", "2\nConfidence: 8/10"),
    (DIGITS, "2", "2 (confidence: 8/10)"),
    (DIGITS, "2", "**2**\n**Confidence:** 9/10"),
    (DIGITS, "2", "The digit is 2. Confidence: 8"),
    (DIGITS, "2", "Confidence: 8/10\n2"),
    (DIGITS, None, "Confidence: 7"),
    (DIGITS, None, "Probability: 7"),
    # Other separators, none, and names in a list.
    (TUMORS, "notumor", "No tumor"),
    (TUMORS, "notumor", "**no_tumor**."),
    (TUMORS, None, "No tumor is what I was told to find"),
    (LISTED, "Siamese cat, Siamese", "a Siamese"),
    (LISTED, "tabby, tabby cat", "The image shows a tabby cat on a sill."),
    (LISTED, "crane", "crane"),
    (LISTED, None, "a tabby tiger cat"),
    (PAIRS, None, "a blue square"),
    (PAIRS, None, "square"),
    # Other languages.
    (ANIMALS, "cat", 'La imagen muestra un "cat".'),
    (ANIMALS, "cat", "Das Bild zeigt eine \u201ecat\u201c."),
    (ANIMALS, "cat", "L'image montre un animal de type \u00ab cat \u00bb."),
    (ANIMALS, None, 'La imagen no muestra un "cat".'),
    (ANIMALS, None, 'La imagen muestra un "cat" o un "dog".'),
    (ANIMALS, None, 'Das Bild k\u00f6nnte eine "cat" zeigen.'),
    (ANIMALS, None, 'Es ist keine "cat".'),
    (ANIMALS, None, 'Das ist wie eine "cat".'),
    (ANIMALS, None, "L'image ressemble \u00e0 \u00ab dog \u00bb."),
    (ANIMALS, None, '\u00bfEs un "cat"?'),
    (ANIMALS, None, 'The label "cat" would be wrong.'),
    # Counts.
    (COUNTS, "12", "There are exactly 12 eggs in the box."),
    (COUNTS, "5", "I count five coins."),
    (FINGERS, "2", "Two fingers are raised."),
    (COUNTS, None, "There is 1 image."),
    (COUNTS, None, "There are 12 eggs in 2 rows."),
    (COUNTS, None, "There are about 12 eggs in the box."),
    (COUNTS, None, "There are not 12 eggs in the box."),
    (COUNTS, None, "Are there 12 eggs in the box?"),
    (COUNTS, None, "There are 12 pictures of eggs."),
    (COUNTS, None, "I see 2 problems with the image."),
    (COUNTS, None, "There are 12-egg boxes on the table."),
    (FINGERS, None, "It has 2 loops in the middle."),
    (DIGITS, None, "I see 2 people on a bench."),
    (DIGITS, None, "I count 2 coins on the table."),
    # Findings that are missing, and what another label would be like.
    (SCANS, "normal", "Normal chest X-ray, no evidence of pneumonia or tuberculosis."),
    (SCANS, "normal", "Normal chest radiograph without evidence of pneumonia or covid."),
    (SCANS, "normal", "Normal study. No covid."),
    (SCANS, None, "Normal. No."),
    (SCANS, None, "no evidence of pneumonia, no evidence of covid"),
    (SCANS, "pneumonia", "It is pneumonia. If it were covid, both lungs would be affected."),
    (SHAPES, "rectangle", "It is a rectangle; a square would have equal sides."),
    (SHAPES, "rectangle", "A square would have equal sides, so it is a rectangle."),
    (SHAPES, None, "A square would have equal sides."),
    (ANIMALS, "cat", "It is a cat. A dog would be larger."),
    (ANIMALS, None, "It is a cat. A dog would be more likely."),
    (ANIMALS, None, "cat\nA dog would fit better."),
    # Words that only begin.
    (PARTS, None, "Ok, I will look at the image now and tell you the class."),
    (PARTS, None, "OK. Let me check the image."),
    (PARTS, None, "Ok, please upload the image."),
    (PARTS, "dent", "Okay, let me think. There is a dent."),
    (PARTS, "ok", "Ok, let me look. The answer is ok."),
    (PARTS, "ok", "OK, the part shows no scratch."),
    (YES_NO, None, "Yes, I can help with that."),
    (YES_NO, "yes", "Yes, I can see a crack."),
    (SIDES, None, "Right, let me see."),
    (SIDES, "right", "Right."),
]


@pytest.mark.parametrize(("labels", "expected", "text"), READ)
def test_neighbours(labels: LabelSet, expected: str | None, text: str) -> None:
    """What looks alike and says another thing is told apart."""
    assert read_label(text, labels).label == expected


KEYS = ("diagnosis", "label", "animal", "result", "foo", "why", "second", "class", "nearby")


FIELD = st.tuples(st.sampled_from(KEYS), st.sampled_from((*ANIMALS.names, "fox", "0.5")))


@settings(max_examples=50, deadline=None)
@given(st.lists(FIELD, max_size=4))
def test_fields_in_any_order(fields: list[tuple[str, str]]) -> None:
    """Fields read alike in any order, and two labels are read where a key for answers says one."""
    found = set()
    for order in (fields, fields[::-1], fields[1:] + fields[:1]):
        text = "{" + ", ".join(f'"{key}": {json.dumps(value)}' for key, value in order) + "}"
        found.add(read_label(text, ANIMALS).label)
    assert len(found) == 1
    named = {value for _, value in fields if value in ANIMALS.names}
    declared = {key for key, _ in fields} & {"label", "class"}
    if len(named) > 1 and not declared:
        assert found == {None}
    assert found <= {None, *named}


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(ANIMALS.names), st.integers(0, 10), st.sampled_from(("%", "/10", "")))
def test_how_sure_it_is_changes_no_answer(name: str, sure: int, unit: str) -> None:
    """Whatever the number, behind an answer or in the line below it."""
    for text in (f"{name}\nConfidence: {sure}{unit}", f"{name} (confidence: {sure}{unit})"):
        assert read_label(text, ANIMALS).label == name
    for digit in DIGITS.names:
        assert read_label(f"{digit}\nConfidence: {sure}{unit}", DIGITS).label == digit
