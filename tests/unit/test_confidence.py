"""The probability of each label, from the tokens of an answer."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_llmclf.prompting.label_probabilities import MOST_UNSEEN, class_probabilities
from pytest_llmclf.prompting.labels import Label, LabelSet
from pytest_llmclf.values.answer import Answer, TokenLogprob
from pytest_llmclf.values.outcome import Outcome
from tests.ollama_replay.recordings import all_exchanges
from tests.unit.scripted import task

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

PETS = LabelSet(labels=(Label("cat"), Label("dog", synonyms=("hound",)), Label("bird")))
DIGITS = LabelSet(
    labels=tuple(Label(str(number), synonyms=("seven",) * (number == 7)) for number in range(11))
)
ANIMALS = LabelSet.of(("butterfly", "cat", "spider", "squirrel"))


def token(text: str, probability: float = 1.0, **others: float) -> TokenLogprob:
    """A token and its alternatives; ``_`` in an alternative is a blank."""
    every = {text: probability} | {word.replace("_", " "): p for word, p in others.items()}
    return listed(text, every)


def listed(text: str, every: Mapping[str, float]) -> TokenLogprob:
    """A token and everything that is listed with it, likeliest first."""
    top = sorted(((word, math.log(p)) for word, p in every.items()), key=lambda pair: -pair[1])
    return TokenLogprob(token=text, logprob=math.log(every[text]), top=tuple(top))


def answered(*tokens: TokenLogprob, text: str | None = None, **more: Any) -> Answer:
    """An answer of these tokens."""
    said = "".join(one.token for one in tokens) if text is None else text
    return Answer(text=said, logprobs=tokens, **more)


def shares(answer: Answer, labels: LabelSet) -> dict[str, float]:
    """The probabilities that are not 0."""
    found = class_probabilities(answer, labels)
    assert found is not None
    assert tuple(found.probabilities) == labels.names
    assert sum(found.probabilities.values()) == pytest.approx(1)
    return {label: value for label, value in found.probabilities.items() if value}


def test_labels_of_one_token_share_what_they_have() -> None:
    """Other words are left out, and what labels had before is told."""
    answer = answered(token("cat", 0.6, dog=0.2, animal=0.15))
    assert shares(answer, PETS) == pytest.approx({"cat": 0.75, "dog": 0.25})
    found = class_probabilities(answer, PETS)
    assert found is not None
    assert found.label == "cat"
    assert found.confidence == pytest.approx(0.75)
    assert found.label_mass == pytest.approx(0.8)
    assert found.unseen_mass == pytest.approx(0.05)  # birds: no more than what is left
    assert (found.shared_mass, found.likeliest) == (0, True)


def test_every_way_to_write_a_label_counts_for_it() -> None:
    """Letter case, a blank in front, quotes, closing signs and synonyms."""
    answer = answered(
        token(" Cat", 0.3, CAT=0.1, _dog=0.2, HOUND=0.1, **{'"bird"': 0.2, "dog.": 0.1})
    )
    assert shares(answer, PETS) == pytest.approx({"cat": 0.4, "dog": 0.4, "bird": 0.2})


@pytest.mark.parametrize("other", ["cats", "cat-like", "cat/dog", "birdie", "B", "do", "ca ", ""])
def test_what_only_resembles_a_label_counts_for_none(other: str) -> None:
    """A longer word, a word of two, and a beginning in another letter case or followed by more."""
    answer = answered(listed("cat", {"cat": 0.5, other: 0.25, "bird": 0.25}))
    expected = {"cat": 0.5, "bird": 0.25} | ({"dog": 0.25} if other == "do" else {})
    total = sum(expected.values())
    assert shares(answer, PETS) == pytest.approx({k: v / total for k, v in expected.items()})


def test_a_label_of_several_tokens_is_decided_by_the_first_that_only_it_has() -> None:
    """Its remaining tokens cost it nothing, since those of other labels are not known."""
    answer = answered(token(" butter", 0.6, _cat=0.3, _sp=0.1), token("fly", 0.5, milk=0.5))
    expected = {"butterfly": 0.6, "cat": 0.3, "spider": 0.1}
    assert shares(answer, ANIMALS) == pytest.approx(expected)


def test_labels_with_a_common_beginning_part_where_they_differ() -> None:
    """An alternative counts times the way to it; labels that were ruled out get nothing there."""
    answer = answered(
        token(" s", 0.8, _cat=0.2), token("quir", 0.75, pider=0.2, cat=0.05), token("rel")
    )
    total = 0.8 * 0.75 + 0.8 * 0.2 + 0.2
    expected = {"squirrel": 0.6 / total, "spider": 0.16 / total, "cat": 0.2 / total}
    assert shares(answer, ANIMALS) == pytest.approx(expected)


def test_a_beginning_of_several_labels_is_shared_evenly() -> None:
    """The confidence of the named label does not depend on it; how much it is, is told."""
    answer = answered(token("cat", 0.6, s=0.4))
    found = class_probabilities(answer, ANIMALS)
    assert found is not None
    assert found.confidence == pytest.approx(0.6)
    assert found.shared_mass == pytest.approx(0.4)
    assert found.probabilities["spider"] == found.probabilities["squirrel"] == pytest.approx(0.2)


def test_one_is_not_ten() -> None:
    """A token that is a label is that label where the longer one is another token, or follows."""
    other = answered(token("7", 0.5, **{"1": 0.3, "10": 0.2}))
    assert shares(other, DIGITS) == pytest.approx({"7": 0.5, "1": 0.3, "10": 0.2})
    ended = answered(token("1", 0.9, **{"7": 0.1}), listed("", {"": 0.5, "0": 0.5}))
    assert shares(ended, DIGITS) == pytest.approx({"1": 0.45, "10": 0.45, "7": 0.1})
    closed = answered(
        token('{"label": "'),
        token("1", 0.9, **{"7": 0.1}),
        token('"}', 0.5, **{"0": 0.4, '"': 0.1}),
    )
    assert shares(closed, DIGITS) == pytest.approx({"1": 0.54, "10": 0.36, "7": 0.1})
    longer = answered(token("1", 0.9, **{"7": 0.1}), listed("0", {"0": 0.8, "": 0.2}))
    assert shares(longer, DIGITS) == pytest.approx({"10": 0.72, "1": 0.18, "7": 0.1})


def test_an_end_that_is_not_told_leaves_longer_labels_open() -> None:
    """As with Ollama: after "1" the model may have been as likely to write 10."""
    assert class_probabilities(answered(token("1", 0.9, **{"7": 0.1})), DIGITS) is None
    pets = LabelSet.of(("cat", "caterpillar", "dog"))
    assert class_probabilities(answered(token("cat", 0.9, dog=0.1)), pets) is None
    assert class_probabilities(answered(token("cat", 0.9, dog=0.1), token(".")), pets)
    forced = class_probabilities(answered(token("1", 0.1, **{"7": 0.9})), DIGITS)
    assert forced is not None
    assert forced.unseen_mass == pytest.approx(0.1)


def test_what_others_cannot_be_told_apart_in_is_told() -> None:
    """A label of one token that begins a longer one, both of them others than the named one."""
    found = class_probabilities(answered(token("7", 0.6, **{"1": 0.4})), DIGITS)
    assert found is not None
    assert found.confidence == pytest.approx(0.6)
    assert found.shared_mass == pytest.approx(0.4)


def test_words_before_the_label_are_taken_as_said() -> None:
    """Only the tokens of the label count; one that would carry on the word before does not."""
    answer = answered(
        token("It", 0.4, cat=0.6),
        token(" is a", 0.9, bird=0.1),
        token(" dog", 0.5, _cat=0.3, bird=0.2),
        token(".", 0.5, _cat=0.5),
    )
    assert shares(answer, PETS) == pytest.approx({"dog": 0.625, "cat": 0.375})


def test_an_article_begins_no_label() -> None:
    """It may be going to be "A dog"; as the beginning of the label that was said, it counts."""
    labels = LabelSet.of(("ant", "dog"))
    other = answered(token("Dog", 0.6, A=0.4))
    assert shares(other, labels) == pytest.approx({"dog": 1})
    said = answered(token("A", 0.6, Dog=0.4), token("nt", 0.5, _dog=0.5))
    assert shares(said, labels) == pytest.approx({"ant": 3 / 7, "dog": 4 / 7})


def test_the_value_counts_and_not_the_key() -> None:
    """In JSON, the label behind the key, even where it was mentioned before."""
    answer = answered(
        token('{"note": "', 1),
        token("cat", 0.9, dog=0.1),
        token('", "label": "', 1),
        token("cat", 0.4, dog=0.6),
        token('"}'),
    )
    assert shares(answer, PETS) == pytest.approx({"cat": 0.4, "dog": 0.6})
    single = answered(token('{"animal": "'), token("dog", 0.7, cat=0.3), token('"}'))
    assert shares(single, PETS) == pytest.approx({"dog": 0.7, "cat": 0.3})


def test_the_first_mention_in_a_sentence_counts() -> None:
    """What is said again is a matter of course."""
    answer = answered(token("cat", 0.6, dog=0.4), token("\n"), token("cat", 0.9, dog=0.1))
    assert shares(answer, PETS) == pytest.approx({"cat": 0.6, "dog": 0.4})


def test_labels_of_several_words() -> None:
    """Blanks between the words may be any, and the shorter label is another one."""
    labels = LabelSet.of(("bear", "polar bear", "St. Bernard"))
    answer = answered(token("polar", 0.7, bear=0.2), token("\n bear", 0.9, _fox=0.1))
    assert shares(answer, labels) == pytest.approx({"polar bear": 0.7 / 0.9, "bear": 0.2 / 0.9})
    saint = answered(token("st", 0.5, bear=0.5), token(". Bernard", 0.9))
    assert shares(saint, labels) == pytest.approx({"St. Bernard": 0.5, "bear": 0.5})


def test_tokens_beside_the_text_are_skipped() -> None:
    """Thoughts before it and the sign for its end are listed with some servers."""
    answer = answered(
        token("<think>cat?</think>"), token("dog", 0.8, cat=0.2), token("</s>"), text="dog"
    )
    assert shares(answer, PETS) == pytest.approx({"dog": 0.8, "cat": 0.2})


def test_forced_answers_are_normalised() -> None:
    """A recorded answer of Ollama's, whose values are those before the grammar."""
    labels = LabelSet.of(("0", "1", "2"))
    answer = recorded("126-chat-image-format-enum-logprobs.json")
    found = class_probabilities(answer, labels)
    assert found is not None
    two, one = math.exp(-1.4347808), math.exp(-2.6055419)
    assert found.probabilities == pytest.approx(
        {"0": 0, "1": one / (one + two), "2": found.confidence}
    )
    assert found.label_mass == pytest.approx(two + one)
    assert found.unseen_mass == pytest.approx(one)  # 0 is no likelier than the last one listed
    assert found.likeliest


def test_a_label_forced_against_everything_listed_tells_nothing() -> None:
    """A recorded answer whose label is not among five alternatives: the others may be likelier."""
    answer = recorded("037-chat-format-enum-logprobs.json")
    assert answer.text.split() == ["{", '"label":', '"cat"', "}"]
    assert class_probabilities(answer, LabelSet.of(("cat", "dog", "bird"))) is None


def test_a_token_that_was_not_the_likeliest_is_told() -> None:
    """So does an answer that a grammar forces, or that was sampled."""
    found = class_probabilities(answered(token("cat", 0.3, dog=0.6, The=0.1)), PETS)
    assert found is not None
    assert not found.likeliest
    assert found.confidence == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    "answer",
    [
        Answer(text="cat"),
        Answer(text="cat", logprobs=()),
        answered(TokenLogprob(token="cat", logprob=-0.1)),  # noqa: S106 - a word
        answered(token("no idea", 0.9, cat=0.1)),
        answered(token("cat", 0.9, dog=0.1), text="Cat"),
        answered(token("\N{REPLACEMENT CHARACTER}"), token("cat", 0.5, dog=0.5), text="é cat"),
        answered(TokenLogprob(token="cat", logprob=-9999.0, top=(("The", -9999.0),))),  # noqa: S106
    ],
    ids=["none", "empty", "no alternatives", "no label", "other text", "bytes", "impossible"],
)
def test_what_is_not_known_is_not_invented(answer: Answer) -> None:
    """Without log-probabilities of a label that can be found there are no probabilities."""
    assert class_probabilities(answer, PETS) is None


def test_a_sign_of_several_characters_is_found() -> None:
    """Folding may change a text's length; places stay right."""
    labels = LabelSet(labels=(Label("groß", synonyms=("ﬁn",)), Label("klein")))
    answer = answered(token("ﬁ ", 1), token("GROSS", 0.6, klein=0.4), text="GROSS")
    assert shares(answer, labels) == pytest.approx({"groß": 0.6, "klein": 0.4})


letters = st.text("xyz", min_size=1, max_size=4)


@given(st.dictionaries(letters, st.integers(1, 1000), min_size=2, max_size=6), st.data())
def test_a_model_that_lists_everything_is_read_exactly(
    weights: dict[str, int], data: st.DataObject
) -> None:
    """Where a model writes letter by letter and all letters are listed, its belief comes out.

    That of the named label exactly; that of the others as far as the answer tells them apart.
    """
    said = data.draw(st.sampled_from(sorted(weights)))
    total = sum(weights.values())
    tokens, endpoint_key = [], dict(weights)
    for place, letter in enumerate([*said, ""]):
        every: dict[str, float] = {}
        for word, weight in endpoint_key.items():
            every[word[place : place + 1]] = every.get(word[place : place + 1], 0) + weight
        here = sum(every.values())
        tokens.append(listed(letter, {key: value / here for key, value in every.items()}))
        endpoint_key = {
            word: weight
            for word, weight in endpoint_key.items()
            if word[place : place + 1] == letter
        }
    found = class_probabilities(answered(*tokens), LabelSet.of(sorted(weights)))
    assert found is not None
    assert found.confidence == pytest.approx(weights[said] / total)
    assert found.label_mass == pytest.approx(1)
    assert found.likeliest == all(one.logprob == one.top[0][1] for one in tokens)
    groups: dict[str, list[str]] = {}
    for word in weights:
        common = len(
            list(takewhile(lambda pair: pair[0] == pair[1], zip(word, said, strict=False)))
        )
        groups.setdefault(word[: common + 1], []).append(word)
    for words in groups.values():
        belief = sum(weights[word] for word in words) / total
        assert sum(found.probabilities[word] for word in words) == pytest.approx(belief)


@dataclass(frozen=True)
class Server:
    """A model that writes labels in tokens, and what is told of it."""

    beliefs: dict[str, float]
    tokens: dict[str, tuple[str, ...]]
    tells_end: bool

    def answer(self, said: str) -> Answer:
        """One of its labels, every alternative listed, with or without the token that ends it."""
        found = []
        for place in range(len(self.tokens[said]) + 1):
            endpoint_key = self.tokens[said][:place]
            here: dict[str, float] = {}
            for label, written in self.tokens.items():
                if written[:place] == endpoint_key:
                    step = written[place] if place < len(written) else ""
                    here[step] = here.get(step, 0.0) + self.beliefs[label]
            chosen = self.tokens[said][place] if place < len(self.tokens[said]) else ""
            if chosen or self.tells_end:
                total = sum(here.values())
                # A server that tells no end has it neither among the tokens nor in a list.
                listing = {key: value / total for key, value in here.items()}
                if not self.tells_end:
                    listing.pop("", None)
                found.append(listed(chosen, listing))
        return answered(*found)


def cut(text: str, pieces: frozenset[str]) -> tuple[str, ...]:
    """`text` as a tokenizer writes it: the longest piece that it knows, or else a letter."""
    found = []
    while text:
        length = max(n for n in range(1, len(text) + 1) if n == 1 or text[:n] in pieces)
        found.append(text[:length])
        text = text[length:]
    return tuple(found)


@settings(max_examples=100, deadline=None)
@given(
    st.dictionaries(
        st.text("xy", min_size=1, max_size=4), st.integers(1, 100), min_size=2, max_size=6
    ),
    st.frozensets(st.text("xy", min_size=2, max_size=4), max_size=4),
    st.booleans(),
    st.data(),
)
def test_probabilities_are_the_true_ones_or_none(
    weights: dict[str, int],
    pieces: frozenset[str],
    tells_end: bool,  # noqa: FBT001 - drawn
    data: st.DataObject,
) -> None:
    """Labels that begin one another, in any tokens, with and without a token for the end.

    Off by no more than what is said to be unseen or shared, so the true ones where nothing is;
    the confidence by no more than what is unseen; and where a quarter is, there are none.
    """
    total = sum(weights.values())
    server = Server(
        beliefs={label: weight / total for label, weight in weights.items()},
        tokens={label: cut(label, pieces) for label in weights},
        tells_end=tells_end,
    )
    said = data.draw(st.sampled_from(sorted(weights)))
    found = class_probabilities(server.answer(said), LabelSet.of(sorted(weights)))
    if found is None:
        assert pieces or not tells_end
        return
    unseen = found.unseen_mass / found.label_mass
    shared = found.shared_mass / found.label_mass
    assert unseen <= MOST_UNSEEN
    assert abs(found.confidence - server.beliefs[said]) <= unseen + 1e-9
    for label, belief in server.beliefs.items():
        assert abs(found.probabilities[label] - belief) <= unseen + shared + 1e-9


texts = st.sampled_from(["cat", " dog", "Bird", "A", "1", "0", '"', '{"label": "', "", "s", " is"])
tokens = st.builds(
    TokenLogprob,
    token=texts | st.text(max_size=3),
    logprob=st.floats(-20, 0.01),
    top=st.lists(st.tuples(texts | st.text(max_size=3), st.floats(-20, 0)), max_size=4).map(tuple),
)


@given(st.lists(tokens, max_size=5).map(tuple), st.sampled_from([PETS, DIGITS, ANIMALS]))
def test_whatever_servers_send_the_numbers_are_probabilities(
    given_tokens: tuple[TokenLogprob, ...], labels: LabelSet
) -> None:
    """Nothing raises, and what comes out adds up to 1."""
    found = class_probabilities(answered(*given_tokens), labels)
    if found is not None:
        assert all(0 <= value <= 1 for value in found.probabilities.values())
        assert math.isclose(sum(found.probabilities.values()), 1)
        assert 0 < found.label_mass <= 1
        assert found.unseen_mass >= 0
        assert 0 <= found.shared_mass <= 1


def test_an_outcome_carries_them(tmp_path: Path) -> None:
    """They are taken when the answer is judged, and read back from JSON."""
    asked = task(tmp_path, 1)
    said: dict[str, Any] = {
        "model_digest": "",
        "request_digest": "",
        "cached": False,
        "attempts": 1,
    }
    case = asked.dataset.cases[0]
    sure = asked.judge(case, answered(token("dog", 0.6, cat=0.2)), **said)
    assert sure.probabilities == pytest.approx({"cat": 0.25, "dog": 0.75})
    assert sure.label_mass == pytest.approx(0.8)
    assert sure.shared_mass == 0
    assert Outcome.from_json(json.loads(json.dumps(sure.to_json()))) == sure
    plain = asked.judge(case, Answer(text="dog"), **said)
    assert (plain.probabilities, plain.label_mass) == (None, None)


def recorded(file: str) -> Answer:
    """A recorded answer of Ollama's."""
    body = next(one for one in all_exchanges() if one.file == file).body
    return Answer(
        text=body["message"]["content"],
        logprobs=tuple(
            TokenLogprob(
                token=one["token"],
                logprob=one["logprob"],
                top=tuple((other["token"], other["logprob"]) for other in one["top_logprobs"]),
            )
            for one in body["logprobs"]
        ),
    )
