"""Modelfiles are read as Ollama reads them, and errors say where."""

from __future__ import annotations

import codecs
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmclf.errors import ModelfileError
from pytest_llmclf.prompting.modelfile import (
    BOOL_PARAMETERS,
    FLOAT_PARAMETERS,
    INT_PARAMETERS,
    Modelfile,
    load,
    parse,
)
from pytest_llmclf.prompting.modelfile_lexer import KEYWORDS, ROLES

FULL = '''\
# A comment before everything.
FROM ./model.gguf
from ./mmproj.gguf

  Parameter temperature 0
PARAMETER seed\t42
PARAMETER stop "<|im_end|>"
PARAMETER stop "  "
PARAMETER use_mmap False
TEMPLATE """{{ .System }}
# not a comment
{{ .Prompt }}
"""
SYSTEM Answer with "one" label.   # said too
ADAPTER ./lora.gguf
LICENSE "MIT"
LICENSE """Apache
2.0"""
MESSAGE user What is this?
MESSAGE assistant "  a cat  "
REQUIRES 0.14.0
DRAFT ./draft.gguf
RENDERER qwen3-vl
PARSER qwen3-vl
'''


def problem(text: str) -> ModelfileError:
    """Parse `text`, which must fail."""
    with pytest.raises(ModelfileError) as caught:
        parse(text, "My.Modelfile")
    return caught.value


def place_of_problem(text: str) -> tuple[int, int]:
    """Line and column at which `text` does not parse; the first ones if it does."""
    try:
        parse(text, "x")
    except ModelfileError as error:
        return error.line, error.column
    return 1, 1


class TestParse:
    """Valid files."""

    def test_full(self) -> None:
        """Every instruction in any letter case, bare, quoted and over several lines."""
        assert parse(FULL, "x") == Modelfile(
            source="x",
            from_="./model.gguf",
            projectors=("./mmproj.gguf",),
            parameters=(
                ("temperature", 0.0),
                ("seed", 42),
                ("stop", "<|im_end|>"),
                ("stop", "  "),
                ("use_mmap", False),
            ),
            template="{{ .System }}\n# not a comment\n{{ .Prompt }}\n",
            system='Answer with "one" label.   # said too',
            adapters=("./lora.gguf",),
            licenses=("MIT", "Apache\n2.0"),
            messages=(("user", "What is this?"), ("assistant", "  a cat  ")),
            requires="0.14.0",
            draft="./draft.gguf",
            renderer="qwen3-vl",
            parser="qwen3-vl",
        )

    @pytest.mark.parametrize(
        ("written", "value"),
        [
            ("bare words", "bare words"),
            ("  trimmed  ", "trimmed"),
            ('" kept "', " kept "),
            ('"He said "hi" to me"', 'He said "hi" to me'),
            ('"over\ntwo lines"', "over\ntwo lines"),
            ('"""over\ntwo lines"""', "over\ntwo lines"),
            ('"""ends in "quotes""""', 'ends in "quotes"'),
            ('"""\n"""', "\n"),
            ('"""\n\n\n"""', "\n\n\n"),
            ('"\n\n\n"', "\n\n\n"),
            ('"""a"""   ', "a"),
            ("it's 'single'", "it's 'single'"),
            ('open " inside', 'open " inside'),
        ],
    )
    def test_values(self, written: str, value: str) -> None:
        """Quotes are dropped, what is in them is kept, and nothing is escaped."""
        assert parse(f"FROM llava\nSYSTEM {written}\n", "x").system == value

    @pytest.mark.parametrize("line_end", ["\r\n", "\r"])
    def test_line_ends(self, line_end: str) -> None:
        """A file from Windows or an old Mac means what it means with newlines."""
        assert parse(FULL.replace("\n", line_end), "x") == parse(FULL, "x")

    def test_last_wins(self) -> None:
        """As in Ollama, a repeated SYSTEM, TEMPLATE or parameter replaces the earlier one."""
        text = "FROM a\nSYSTEM one\nSYSTEM two\nPARAMETER seed 1\nPARAMETER seed 2"
        modelfile = parse(text, "x")
        assert modelfile.system == "two"
        assert modelfile.options() == {"seed": 2}

    def test_options(self) -> None:
        """All stop texts come out as one list, numbers with the type that Ollama wants."""
        assert parse(FULL, "x").options() == {
            "temperature": 0.0,
            "seed": 42,
            "stop": ["<|im_end|>", "  "],
            "use_mmap": False,
        }

    @pytest.mark.parametrize("name", INT_PARAMETERS)
    def test_int_parameters(self, name: str) -> None:
        """Whole numbers may be negative."""
        assert parse(f"FROM a\nPARAMETER {name} -1", "x").options() == {name: -1}

    @pytest.mark.parametrize("name", FLOAT_PARAMETERS)
    def test_float_parameters(self, name: str) -> None:
        """Numbers may be written with an exponent or in quotes."""
        assert parse(f'FROM a\nPARAMETER {name} "1e-1"', "x").options() == {name: 0.1}

    @pytest.mark.parametrize("name", BOOL_PARAMETERS)
    def test_bool_parameters(self, name: str) -> None:
        """Truth values are written as Go takes them."""
        assert parse(f"FROM a\nPARAMETER {name} T", "x").options() == {name: True}


class TestErrors:
    """Each error says where and what to do."""

    @pytest.mark.parametrize(
        ("text", "line", "column", "said"),
        [
            ("", 1, 1, "no FROM line: name the model"),
            ("# x\nSYSTEM a", 2, 1, "no FROM line"),
            ("FROM a\n  SYSTM b", 2, 3, "unknown instruction 'SYSTM'; did you mean 'SYSTEM'?"),
            ("FROM a\n{{ x }}", 2, 1, "known: FROM, PARAMETER"),
            ("FROM a\nSYSTEM", 2, 7, "SYSTEM has an empty value: write one on its line"),
            ('FROM a\nSYSTEM ""', 2, 8, "empty value"),
            ('FROM a\nSYSTEM """"""', 2, 8, "empty value"),
            ("FROM  \n", 1, 7, "FROM has an empty value"),
            ('FROM a\n\nSYSTEM """b\nc\n', 3, 8, 'the """ that open SYSTEM here are never closed'),
            ('FROM a\nSYSTEM "b\nPARAMETER seed 1', 2, 8, 'the " that open SYSTEM'),
            ('FROM a\nSYSTEM "', 2, 8, "never closed"),
            ('FROM a\nSYSTEM """', 2, 8, "never closed"),
            ('FROM a\nSYSTEM """b""" # c\nLICENSE """d"""', 2, 16, "a comment needs a line"),
            ('FROM a\nSYSTEM "b" c', 2, 12, 'text behind the closing " of SYSTEM'),
            ('FROM a\nSYSTEM """\n\n\nb\n"""\n  NOPE', 7, 3, "unknown instruction 'NOPE'"),
            ("FROM a\nMESSAGE usr hi", 2, 9, "bad role 'usr': MESSAGE takes system, user or"),
            ("FROM a\nMESSAGE User hi", 2, 9, "did you mean 'user'?"),
            ("FROM a\nMESSAGE", 2, 8, "MESSAGE needs a role and a value"),
            ("FROM a\nMESSAGE user", 2, 13, "MESSAGE user has an empty value"),
            ("FROM a\nPARAMETER", 2, 10, "PARAMETER needs a parameter's name"),
            ("FROM a\nPARAMETER temprature 0", 2, 11, "did you mean 'temperature'?"),
            ("FROM a\nPARAMETER Seed 0", 2, 11, "unknown parameter 'Seed'; did you mean 'seed'?"),
            ("FROM a\nPARAMETER mirostat 1", 2, 11, "no longer has the parameter 'mirostat': rem"),
            ("FROM a\nPARAMETER seed 1.5", 2, 16, "seed takes a whole number, not '1.5'"),
            ("FROM a\nPARAMETER seed 1_0", 2, 16, "whole number"),
            ("FROM a\nPARAMETER seed 9223372036854775808", 2, 16, "whole number"),
            ("FROM a\nPARAMETER seed \u0661", 2, 16, "whole number"),
            ("FROM a\nPARAMETER temperature warm", 2, 23, "temperature takes a number, not 'warm'"),
            ("FROM a\nPARAMETER temperature nan", 2, 23, "takes a number"),
            ("FROM a\nPARAMETER temperature 1e999", 2, 23, "takes a number"),
            ("FROM a\nPARAMETER use_mmap yes", 2, 20, "takes true or false, not 'yes'"),
            ("FROM a\nREQUIRES 1.2.3.4", 2, 10, "a version of Ollama"),
            ("FROM a\nREQUIRES soon", 2, 10, "a version of Ollama such as 0.14.0, not 'soon'"),
        ],
    )
    def test_place_and_remedy(self, text: str, line: int, column: int, said: str) -> None:
        """Value, place and remedy are in the message."""
        error = problem(text)
        assert said in error.problem
        assert (error.line, error.column) == (line, column)
        assert str(error).startswith(f"My.Modelfile:{line}:{column}: ")


class TestLoad:
    """Files."""

    @pytest.mark.parametrize(
        ("mark", "encoding"),
        [
            (b"", "utf-8"),
            (codecs.BOM_UTF8, "utf-8"),
            (codecs.BOM_UTF16_LE, "utf-16-le"),
            (codecs.BOM_UTF16_BE, "utf-16-be"),
        ],
    )
    def test_encodings(self, tmp_path: Path, mark: bytes, encoding: str) -> None:
        """What Windows editors write is read."""
        path = tmp_path / "M"
        path.write_bytes(mark + "FROM llava\nSYSTEM größer ♔\n".encode(encoding))
        assert load(path).system == "größer ♔"

    @pytest.mark.parametrize(
        ("data", "said"),
        [
            (b"FROM a\nSYSTEM gr\xf6\xdfer", ":2:10: not UTF-8 text: save the file as UTF-8"),
            ("FROM a".encode("utf-16-le"), "UTF-16 without a byte-order mark"),
        ],
    )
    def test_bad_encodings(self, tmp_path: Path, data: bytes, said: str) -> None:
        """Other encodings are named, with the place."""
        path = tmp_path / "M"
        path.write_bytes(data)
        with pytest.raises(ModelfileError) as caught:
            load(path)
        assert said in str(caught.value)

    def test_local_files(self, tmp_path: Path) -> None:
        """Weights beside the Modelfile come out as absolute paths; model names stay."""
        for name in ("model.gguf", "mmproj.gguf", "lora"):
            (tmp_path / name).touch()
        (tmp_path / "llava").mkdir()
        path = tmp_path / "M"
        path.write_text("FROM model.gguf\nFROM ./mmproj.gguf\nADAPTER lora\nDRAFT llava\n")
        modelfile = load(path)
        assert modelfile.from_ == str((tmp_path / "model.gguf").resolve())
        assert modelfile.projectors == (str((tmp_path / "mmproj.gguf").resolve()),)
        assert modelfile.adapters == (str((tmp_path / "lora").resolve()),)
        assert modelfile.draft == "llava"

    @pytest.mark.parametrize("name", ["llava", "llava:7b", "hf.co/user/model:Q4", "host:5000/a/b"])
    def test_model_names(self, tmp_path: Path, name: str) -> None:
        """A model's name is never taken for a path."""
        path = tmp_path / "M"
        path.write_text(f"FROM {name}\n")
        assert load(path).from_ == name

    def test_missing_weights(self, tmp_path: Path) -> None:
        """A missing file is an error at the value's place, with the nearest name."""
        (tmp_path / "model.gguf").touch()
        path = tmp_path / "M"
        path.write_text("# x\nFROM ./modle.gguf\n")
        with pytest.raises(ModelfileError) as caught:
            load(path)
        assert (caught.value.line, caught.value.column) == (2, 6)
        assert "FROM names './modle.gguf'" in caught.value.problem
        assert "did you mean 'model.gguf'?" in caught.value.problem

    def test_missing_modelfile(self, tmp_path: Path) -> None:
        """A missing Modelfile names its nearest neighbour."""
        (tmp_path / "animals.Modelfile").touch()
        with pytest.raises(ModelfileError, match=r"did you mean 'animals\.Modelfile'"):
            load(tmp_path / "animal.Modelfile")

    def test_shipped(self) -> None:
        """The Modelfiles of this repository are valid and name none of their labels."""
        folder = Path(__file__).parents[2] / "modelfiles"
        labels = {
            "mnist-digits": "[0-9]",
            "animals": "butterfly|cat|chicken|cow|dog|elephant|horse|sheep|spider|squirrel",
            "chess-pieces": "bishop|king|knight|pawn|queen|rook",
        }
        for name, forbidden in labels.items():
            modelfile = load(folder / f"{name}.Modelfile")
            assert modelfile.from_ == "llava"
            assert modelfile.options()["temperature"] == 0
            said = (modelfile.system or "").lower()
            assert said
            assert re.search(rf"\b(?:{forbidden})", said) is None


class TestDigest:
    """The digest is over what a file says."""

    def test_same(self) -> None:
        """Comments, order, letter case, quoting and the name do not change it."""
        one = parse('# c\nFROM a\nPARAMETER seed 1\nPARAMETER temperature 0\nSYSTEM "b"', "x")
        two = parse("system b\nparameter temperature 0.0\nPARAMETER seed 1\nfrom a", "y")
        assert one.digest() == two.digest()

    @pytest.mark.parametrize(
        "line", ["SYSTEM b", "PARAMETER seed 2", "FROM c", "MESSAGE user b", "TEMPLATE b"]
    )
    def test_different(self, line: str) -> None:
        """Every further instruction changes it."""
        assert parse("FROM a", "x").digest() != parse(f"FROM a\n{line}", "x").digest()

    def test_folder(self) -> None:
        """The folder of local weights does not matter, on either kind of system."""
        one = replace(parse("FROM a", "x"), from_="/home/a/m.gguf")
        assert one.digest() == replace(one, from_="D:\\models\\m.gguf").digest()
        assert one.digest() != replace(one, from_="/home/a/n.gguf").digest()


INSTRUCTIONS = st.builds(
    "{}{} {}\n".format,
    st.sampled_from(["", "  ", "# c\n", "\n"]),
    st.sampled_from([*KEYWORDS, "system", *(f"MESSAGE {role}" for role in ROLES)]),
    st.one_of(
        st.text(st.sampled_from('ab" \n\t#\r'), max_size=12),
        st.text(st.sampled_from('ab" \n\t#'), max_size=9).map('"""{}"""'.format),
        st.text(st.sampled_from('ab" \n\t#'), max_size=9).map('"{}"'.format),
        st.sampled_from(["seed 1", "temperature 0.5", 'stop " "', "stop\ta", "1.2.3"]),
    ),
)


class TestProperties:
    """For all texts."""

    @given(st.lists(INSTRUCTIONS, max_size=5).map("".join))
    def test_the_digest_is_of_the_value(self, text: str) -> None:
        """A text is read the same again, and its name does not matter."""
        try:
            modelfile = parse(f"FROM a\n{text}", "x")
        except ModelfileError:
            return
        assert parse(f"FROM a\n{text}", "x") == modelfile
        assert parse(f"FROM a\n{text}", "y").digest() == modelfile.digest()

    @given(st.text(max_size=60))
    def test_any_system(self, text: str) -> None:
        """Any text in triple quotes that parses is kept exactly, but for line ends."""
        try:
            modelfile = parse(f'FROM a\nSYSTEM """{text}"""\n', "x")
        except ModelfileError:
            return
        assert modelfile.system == text.replace("\r\n", "\n").replace("\r", "\n")

    @given(st.text())
    def test_total(self, text: str) -> None:
        """Any text is read or refused with a place inside it."""
        lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        line, column = place_of_problem(text)
        assert 1 <= line <= len(lines)
        assert 1 <= column <= len(lines[line - 1]) + 1
