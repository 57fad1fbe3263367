"""Answers are read by rule or not at all."""

from __future__ import annotations

import copy
import json
import pickle
import time
import unicodedata
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pytest_llmclf.errors import SettingsError
from pytest_llmclf.prompting.label_text import (
    CARRIERS,
    FUNCTION_WORDS,
    TAKES_BACK,
    TURNS,
    normalise,
    words,
)
from pytest_llmclf.prompting.labels import Label, LabelSet
from pytest_llmclf.prompting.readers import LONGEST_ANSWER, LabelOrReason, read_label
from pytest_llmclf.prompting.readers.word_lists import DOMAIN

if TYPE_CHECKING:
    from pytest_llmclf.values.answer import Finish
    from pytest_llmclf.values.outcome import UnparsedReason

DIGITS = LabelSet(
    labels=tuple(Label(digit, synonyms=("seven",) * (digit == "7")) for digit in "0123456789")
)
NUMBERS = LabelSet.of(["1", "7", "10", "75"])
ANIMALS = LabelSet(
    labels=(
        Label("cat", synonyms=("tomcat", "kitty cat")),
        Label("dog", synonyms=("🐕",)),
        *map(Label, ("bear", "polar bear", "C++", "猫", "Кошка", "größe", "бык")),
    )
)
CHESS = LabelSet(labels=(Label("king", synonyms=("♔", "♚")), Label("queen")))
LETTERS = LabelSet.of(["a", "b", "i"])
MEDIA = LabelSet.of(["photo", "drawing"])


def label(text: str, labels: LabelSet = ANIMALS, finish: Finish = "stop") -> str | None:
    return read_label(text, labels, finish).label


def reason(text: str, labels: LabelSet = ANIMALS, finish: Finish = "stop") -> str | None:
    return read_label(text, labels, finish).reason


class TestRead:
    """What is read."""

    @pytest.mark.parametrize(
        "text",
        [
            "7",
            " 7\n",
            "7.",
            "7!",
            "**7**",
            "`7`",
            "_7_",
            "~~7~~",
            '"7"',
            "“7”",
            "«7»",
            "「7」",
            "(7)",
            "- 7",
            "* 7",
            "# 7",
            "> 7",
            "**Answer:** 7",
            "\uff17",
            "7\u200b",
            "Seven",
            "```\n7\n```",
            "```text\n7\n```",
            "The digit in the picture is 7.",
            "This is the number seven.",
            "It's a 7",
            "I see a 7 in this drawing.",
            "It\u2019s a “7”.",
            "Answer: 7",
            "The handwritten digit shown in the image is 7. The answer is 7.",
            "7\nThe digit has a long bar at its top.",
            "7\n\nIt is drawn with 2.5 strokes, and 17 is another number.",
            '{"label": "7"}',
            '{"label": 7}',
            '{"Label": "SEVEN"}',
            '{"class": "7", "confidence": 0.2}',
            '{"answer": "7", "label": 7}',
            '{"digit": 7}',
            '{"answer": "The digit is 7."}',
            '"\\u0037"',
            '```json\n{"label": "7"}\n```',
            '```\n{"label": "7"}```',
        ],
    )
    def test_seven(self, text: str) -> None:
        """A label is read from what decorates or plainly carries it."""
        assert read_label(text, DIGITS) == LabelOrReason(label="7", reason=None)

    @pytest.mark.parametrize(
        ("text", "labels", "expected"),
        [
            ("Polar Bear.", ANIMALS, "polar bear"),
            ("a polar bear in a picture", ANIMALS, "polar bear"),
            ("bear", ANIMALS, "bear"),
            ("This is a kitty cat", ANIMALS, "cat"),
            ("cat cat cat", ANIMALS, "cat"),
            ("Cat. Kitty cat.", ANIMALS, "cat"),
            ("c++", ANIMALS, "C++"),
            ("This is C++.", ANIMALS, "C++"),
            ("猫", ANIMALS, "猫"),
            ("КОШКА", ANIMALS, "Кошка"),
            ("GRÖSSE", ANIMALS, "größe"),
            (unicodedata.normalize("NFD", "größe"), ANIMALS, "größe"),
            ("🐕\ufe0f", ANIMALS, "dog"),
            ("♔", CHESS, "king"),
            ("The piece is ♚\ufe0e.", CHESS, "king"),
            ("10", NUMBERS, "10"),
            ("75", NUMBERS, "75"),
            ("A", LETTERS, "a"),
            ("I.", LETTERS, "i"),
            ("eight", DIGITS, "8"),
            ("It's a zero.", DIGITS, "0"),
            ("This is a b", LETTERS, "b"),
            ("The picture is a drawing.", MEDIA, "drawing"),
        ],
    )
    def test_others(self, text: str, labels: LabelSet, expected: str) -> None:
        """Longest label first, in any script, case and composition."""
        assert label(text, labels) == expected


class TestUnread:
    """What is not read, and why."""

    @pytest.mark.parametrize(
        ("text", "labels", "expected"),
        [
            ("", DIGITS, "empty"),
            (" \n\t", DIGITS, "empty"),
            ("...", DIGITS, "empty"),
            ("**", DIGITS, "empty"),
            ("not a cat", ANIMALS, "outside-the-list"),
            ("It isn't a cat.", ANIMALS, "outside-the-list"),
            ("catfish", ANIMALS, "outside-the-list"),
            ("cat-like", ANIMALS, "outside-the-list"),
            ("hot dog", ANIMALS, "outside-the-list"),
            ("probably a cat", ANIMALS, "outside-the-list"),
            ("looks like a cat", ANIMALS, "outside-the-list"),
            ("cat?", ANIMALS, "outside-the-list"),
            ("Is it a cat?", ANIMALS, "outside-the-list"),
            ("cat or dog", ANIMALS, "several-labels"),
            ("cat, dog", ANIMALS, "several-labels"),
            ("cat/dog", ANIMALS, "several-labels"),
            ("a polar bear or a bear", ANIMALS, "several-labels"),
            ("cat\nOr is it a dog?", ANIMALS, "several-labels"),
            ("cat\ndog", ANIMALS, "several-labels"),
            ("cat\nWait, that is wrong.", ANIMALS, "outside-the-list"),
            ("cat\nIt can\u2019t be told.", ANIMALS, "outside-the-list"),
            ("horse", ANIMALS, "outside-the-list"),
            ("这是猫", ANIMALS, "outside-the-list"),
            ("10", DIGITS, "outside-the-list"),
            ("17", DIGITS, "outside-the-list"),
            ("7.5", DIGITS, "outside-the-list"),
            (".7", DIGITS, "outside-the-list"),
            ("-7", DIGITS, "outside-the-list"),
            ("7%", DIGITS, "outside-the-list"),
            ("7th", DIGITS, "outside-the-list"),
            ("1/7", DIGITS, "several-labels"),
            ("1 1", DIGITS, "outside-the-list"),
            ("7 7", DIGITS, "outside-the-list"),
            ("0 1 2 3 4 5 6 7 8 9", DIGITS, "several-labels"),
            ("This is a picture", LETTERS, "outside-the-list"),
            ("This photo shows a drawing", MEDIA, "several-labels"),
            ("I'm sorry, I can't help with that.", ANIMALS, "refusal"),
            ("I am very sorry", ANIMALS, "refusal"),
            ("As an AI model I only read text: cat", ANIMALS, "refusal"),
            ("I cannot tell whether it is a cat or a dog", ANIMALS, "refusal"),
            ("I\u2019m unable to see it", ANIMALS, "refusal"),
            ("It is impossible to determine.", ANIMALS, "refusal"),
            ("```\n7\n```\n```\n8\n```", DIGITS, "several-labels"),
            ("```\n7 is not it", DIGITS, "outside-the-list"),
            ("```not that\n7\n```", DIGITS, "outside-the-list"),
            ("{}", DIGITS, "empty"),
            ('{"label": 7.0}', DIGITS, "outside-the-list"),
            ('{"label": "7.0"}', DIGITS, "outside-the-list"),
            ('{"label": "cat"}', DIGITS, "outside-the-list"),
            ('{"label": ["7"]}', DIGITS, "empty"),
            ('{"label": null}', DIGITS, "empty"),
            ('{"label": ""}', DIGITS, "empty"),
            ('{"label": "7", "class": "8"}', DIGITS, "several-labels"),
            ('{"label": "7", "label": "8"}', DIGITS, "several-labels"),
            ('{"label": "7", "class": "digit"}', DIGITS, "outside-the-list"),
            ('{"not": "7"}', DIGITS, "outside-the-list"),
            ('{"is_not": "7"}', DIGITS, "outside-the-list"),
            ('{"x": 7, "y": 7}', DIGITS, "outside-the-list"),
            ('{"label": "not 7"}', DIGITS, "outside-the-list"),
        ],
    )
    def test_reason(self, text: str, labels: LabelSet, expected: UnparsedReason) -> None:
        """Nothing is guessed, and the reason says what the answer was instead."""
        assert read_label(text, labels) == LabelOrReason(label=None, reason=expected)

    @pytest.mark.parametrize("text", ["7", "The digit is 7.", "1", '{"label": "7', "", "The digit"])
    def test_cut_off(self, text: str) -> None:
        """What the token limit cut may have been going to be something else."""
        assert read_label(text, NUMBERS, "length") == LabelOrReason(label=None, reason="cut-off")

    @pytest.mark.parametrize(
        "text", ['{"label": "7"}', "7\n", "7\nThe digit has a long", '```json\n{"label":7}\n```']
    )
    def test_cut_behind_the_label(self, text: str) -> None:
        """What was complete before the limit is read."""
        assert label(text, NUMBERS, "length") == "7"

    def test_cut_list(self) -> None:
        """A list of all labels is several labels, cut or not."""
        assert reason("1, 7, 10, 7", NUMBERS, "length") == "several-labels"

    def test_other_finish(self) -> None:
        """Servers that do not say why an answer ended are believed to have ended it."""
        assert label("7", NUMBERS, "other") == "7"

    def test_deep_json(self) -> None:
        """JSON that is nested beyond any parser is just text."""
        assert reason('{"a":' * 3000) == "outside-the-list"


class TestLabelSet:
    """Which labels go together."""

    def test_names(self) -> None:
        """Names keep their order."""
        assert DIGITS.names == tuple("0123456789")
        assert DIGITS.labels[7] == Label(name="7", synonyms=("seven",))

    def test_descriptions(self) -> None:
        """Descriptions are kept with their labels."""
        found = LabelSet(labels=(Label("a"), Label("b", description="round")))
        assert found.labels[1].description == "round"

    def test_is_a_value(self) -> None:
        """Equal sets are equal, hash alike and survive copying to another process."""
        twin = LabelSet(labels=tuple(replace(one) for one in DIGITS.labels))
        assert twin == DIGITS
        assert hash(twin) == hash(DIGITS)
        for copied in (copy.copy(twin), copy.deepcopy(twin), pickle.loads(pickle.dumps(twin))):  # noqa: S301
            assert copied == DIGITS
            assert label("seven", copied) == "7"

    def test_synonym_like_its_name(self) -> None:
        """A synonym that only differs in case from its own label does no harm."""
        labels = LabelSet(labels=(Label("cat", synonyms=("Cat",)), Label("dog")))
        assert label("CAT", labels) == "cat"

    @pytest.mark.parametrize(
        ("labels", "said"),
        [
            ((), "at least two labels, but has none"),
            ((Label(name="cat"),), "has 'cat': name the others too"),
            ((Label(name="cat"), Label(name="cat")), "'cat' means both 'cat' and 'cat'"),
            ((Label(name="cat"), Label(name="Cat.")), "'Cat.' means both 'cat' and 'Cat.'"),
            (
                (Label(name="cat"), Label(name="dog", synonyms=("CAT",))),
                "'CAT' means both 'cat' and 'dog' (case, quotes",
            ),
            ((Label(name="cat"), Label(name="**")), "the label '**' is empty once quotes"),
            (
                (Label(name="cat", synonyms=("",)), Label(name="dog")),
                "the synonym of 'cat' '' is empty",
            ),
            ((Label(name="cat"), Label(name="d\nog")), "write it as one printable line"),
            ((Label(name="cat"), Label(name=" dog")), "blanks at an end"),
        ],
    )
    def test_refused(self, labels: tuple[Label, ...], said: str) -> None:
        """Labels that an answer could not tell apart are refused, with value and remedy."""
        with pytest.raises(SettingsError) as caught:
            LabelSet(labels=labels)
        assert said in str(caught.value)

    def test_as_in_the_readme(self) -> None:
        """A label takes its name first; the rest is named."""
        rook = Label("rook", synonyms=("castle",))
        knight = Label("knight", description="a horse's head")
        assert rook == Label(name="rook", synonyms=("castle",), description=None)
        assert label("It is a castle.", LabelSet(labels=(rook, knight))) == "rook"
        with pytest.raises(TypeError):
            Label("rook", ("castle",))  # type: ignore[call-arg]

    def test_bare_synonym(self) -> None:
        """One text is not taken for a list of letters."""
        said = r"synonyms of 'cat' are the bare text 'dog': write \(\"dog\",\)"
        with pytest.raises(SettingsError, match=said):
            Label("cat", synonyms="dog")  # type: ignore[arg-type]
        listed = Label("cat", synonyms=["tom"])  # type: ignore[arg-type]
        assert hash(listed) == hash(Label("cat", synonyms=("tom",)))


class TestWordLists:
    """The closed sets hold what they say."""

    def test_no_negation_carries(self) -> None:
        """No word that takes back is among those that may stand beside a label."""
        assert CARRIERS.isdisjoint(TAKES_BACK)
        assert CARRIERS.isdisjoint(
            ("or", "and", "like", "probably", "could", "n't", "only", "almost")
        )

    def test_normalised(self) -> None:
        """Every listed word is as the reader sees it, or it would never match."""
        for word in CARRIERS | TAKES_BACK:
            assert words(normalise(word)) == (word,)


OUTSIDE = st.text(st.characters(categories=["L"]), min_size=1, max_size=8).filter(
    lambda text: (
        len(said := words(normalise(text))) == 1
        and said[0] not in CARRIERS | DOMAIN
        and ANIMALS.find(text) is None
    )
)
SPELLINGS = [
    (spelling, label.name)
    for labels in (ANIMALS, CHESS, DIGITS)
    for label in labels.labels
    for spelling in (label.name, *label.synonyms)
]
DECORATIONS = [
    "{}",
    "**{}**",
    "`{}`",
    '"{}"',
    "“{}”",
    "- {}",
    "# {}",
    "{}.",
    " {}\n",
    "({})",
    "*{}*!",
]
SETS = st.sampled_from([ANIMALS, CHESS, DIGITS, NUMBERS, LETTERS, MEDIA])
FINISHES = st.sampled_from(["stop", "length", "other"])
# Near misses: pieces that tests of random text would never put together.
PIECES = st.lists(
    st.one_of(
        st.sampled_from(
            [
                "cat",
                "dog",
                "polar",
                "bear",
                "7",
                "1",
                "a",
                "is",
                "the",
                "not",
                "{",
                "}",
                '"label":',
                '"',
                "'",
                "```",
                "json",
                "\n",
                " ",
                ".",
                ",",
                "-",
                "[",
                "♔",
                "\u200b",
                "n't",
                "sorry,",
            ]
        ),
        st.text(max_size=3),
    ),
    max_size=12,
).map("".join)


class TestProperties:
    """For all texts."""

    @given(st.one_of(st.text(), PIECES), SETS, FINISHES)
    def test_total(self, text: str, labels: LabelSet, finish: Finish) -> None:
        """Any text gives a label of the set or a reason, never both or neither."""
        reading = read_label(text, labels, finish)
        assert (reading.label is None) != (reading.reason is None)
        assert reading.label is None or reading.label in labels.names

    @given(st.one_of(st.text(), PIECES))
    def test_idempotent(self, text: str) -> None:
        """Normalising twice changes nothing."""
        assert normalise(normalise(text)) == normalise(text)

    @given(
        st.sampled_from(SPELLINGS),
        st.sampled_from(DECORATIONS),
        st.sampled_from(["lower", "upper", "title"]),
    )
    def test_decorated(self, spelled: tuple[str, str], decoration: str, case: str) -> None:
        """Every label and synonym is read in any case and decoration."""
        spelling, name = spelled
        labels = next(it for it in (ANIMALS, CHESS, DIGITS) if it.find(spelling))
        assert label(decoration.format(getattr(spelling, case)()), labels) == name

    @given(
        st.lists(OUTSIDE, max_size=3), st.sampled_from(ANIMALS.names), st.lists(OUTSIDE, max_size=3)
    )
    def test_other_words(self, before: list[str], name: str, after: list[str]) -> None:
        """A label before words that may mean anything is never read: it may be a part of a name."""
        assume(after)
        # Words may happen to build another label ("polar" before "bear").
        assume(
            all(part not in " ".join([*before, *after]).casefold() for part in ("polar", "kitty"))
        )
        assert label(" ".join([*before, name, *after])) is None

    @given(
        st.lists(st.sampled_from(sorted(CARRIERS)), max_size=6),
        st.sampled_from(ANIMALS.names),
        st.lists(st.sampled_from(sorted(CARRIERS)), max_size=6),
    )
    def test_carriers(self, before: list[str], name: str, after: list[str]) -> None:
        """A label among carrier words alone is read."""
        assert label(" ".join([*before, name, *after])) == name

    @given(st.sampled_from(sorted(TAKES_BACK)), st.sampled_from(ANIMALS.names), st.booleans())
    def test_taken_back(self, word: str, name: str, below: bool) -> None:  # noqa: FBT001
        """A negation or a doubt beside a label, or below it, keeps it from being read."""
        assume(below or word not in TURNS)
        assume(word not in ("although", "rather"))
        assert label(f"{name}\nThis is {word}." if below else f"This is {word} a {name}.") is None

    @given(st.sampled_from(ANIMALS.names), st.sampled_from(ANIMALS.names), st.text(max_size=5))
    def test_two_labels(self, one: str, two: str, between: str) -> None:
        """Two labels are never read as one of them, whatever stands between them."""
        assume(one != two)
        text = f"{one} {between} {two}"
        assert label(text) not in {one, two} or label(text) == "polar bear"

    @given(st.sampled_from(ANIMALS.names), st.text(max_size=8))
    def test_json(self, name: str, extra: str) -> None:
        """A label in JSON is read whatever else the object says."""
        text = json.dumps({"label": name, "why": extra})
        assert label(text) == name
        assert label(text, finish="length") == name

    @pytest.mark.parametrize(
        "text",
        [
            "cat " * 250_000,
            "x" * 1_000_000,
            "(" * 1_000_000,
            "- " * 500_000,
            "\n" * 1_000_000 + "cat",
            "{" * 1_000_000,
            "1" * 1_000_000,
            '{"label": ' + "1" * 1_000_000 + "}",
            "```\n" + " \t" * 500_000,
            "a\u0345\u0301" * 100_000,
            "a" + "\u0345" * 9_000 + "\u0301" * 9_000,
            "\ufdfa" * 300_000,
            "i am " * 4_000,
            "polar " * 3_000,
        ],
    )
    def test_huge(self, text: str) -> None:
        """A megabyte of anything is answered at once."""
        started = time.process_time()
        read_label(text, ANIMALS)
        assert time.process_time() - started < 2

    def test_longest(self) -> None:
        """An answer beyond the limit names nothing, whatever it begins with."""
        assert label("cat\n" + "x" * (LONGEST_ANSWER - 4)) == "cat"
        assert reason("cat\n" + "x" * LONGEST_ANSWER) == "outside-the-list"
        assert reason("cat\n" + "x" * LONGEST_ANSWER, finish="length") == "cut-off"

    def test_function_words_are_carriers(self) -> None:
        """The words that may be articles are a part of those that may stand beside a label."""
        assert FUNCTION_WORDS < CARRIERS
