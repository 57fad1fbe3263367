"""Command line, environment and ini: checked early, and read once into `Settings`."""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar, cast

import pytest

from pytest_llmclf.files import HOME_FOLDER
from pytest_llmclf.runner.shared_options import at_least, hosts_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pytest_llmclf.analysis.comparison.margin import Margin
    from pytest_llmclf.analysis.comparison.tolerance import Tolerance
    from pytest_llmclf.gates.gate import Gate
    from pytest_llmclf.models.spec import ModelSpec
    from pytest_llmclf.runner.job import AskingPolicy
    from pytest_llmclf.runner.settings import Inconclusive, Settings
    from pytest_llmclf.runner.variant import Variant
    from pytest_llmclf.values.price import Price
    from pytest_llmclf.values.probe_answers import Probe
    from pytest_llmclf.values.thinking import Think

_Value = TypeVar("_Value")
_Text = TypeVar("_Text", str, list[str])


def check_options(config: pytest.Config) -> None:
    """Refuse what cannot be meant before anything is collected.

    Raises:
        pytest.UsageError: Which one, and what was probably meant.
    """
    option = config.option
    for name, read in _GIVEN.items():
        if getattr(option, f"llmclf_{name}") is not None:
            read(config)
    if option.llmclf_probe_images is not None and not option.llmclf_probe:
        raise pytest.UsageError("--llmclf-probe-images has no effect without --llmclf-probe")
    if option.llmclf_stop_error is not None and not option.llmclf_stop_early:
        raise pytest.UsageError("--llmclf-stop-error has no effect without --llmclf-stop-early")
    if option.llmclf_parquet:
        _need_parquet()
    _require_places(config)


def _require_places(config: pytest.Config) -> None:
    """Refuse a place that cannot be written before anybody is asked, not after all are."""
    from pytest_llmclf.files import require_place

    for name, folder in _WRITTEN.items():
        path = _path(config, name)
        try:
            if path is not None:
                require_place(path, folder=folder)
        except OSError as error:
            raise pytest.UsageError(
                f"--llmclf-{name}: {path} cannot be written ({error.filename}: {error.strerror}); "
                f"name another {'folder' if folder else 'file'}"
            ) from error


def _need_parquet() -> None:
    from pytest_llmclf.errors import ExtraMissing, need_extra

    try:
        need_extra("pyarrow", "parquet", "Parquet")
    except ExtraMissing as error:
        raise pytest.UsageError(f"--llmclf-parquet: {error}") from error


def check_gate_names(config: pytest.Config, titles: Iterable[str]) -> None:
    """Refuse a gate from the command line that no collected evaluation is meant by.

    Those of the ini file may be for evaluations that are not run today.

    Args:
        config: pytest's.
        titles: The names of the collected evaluations.

    Raises:
        pytest.UsageError: Which gate, and what was probably meant.
    """
    if not config.option.llmclf_gate:
        return
    from pytest_llmclf.errors import SettingsError
    from pytest_llmclf.gates.gate import check_addresses, parse_addressed

    known = list(dict.fromkeys(titles))
    if not known:
        return  # why nothing could be collected is said already
    try:
        check_addresses(map(parse_addressed, config.option.llmclf_gate), known)
    except SettingsError as error:
        raise pytest.UsageError(f"--llmclf-gate {error}") from error


def check_final(config: pytest.Config, holdouts: Iterable[float]) -> None:
    """Refuse a final run of evaluations that hold no images out.

    Args:
        config: pytest's.
        holdouts: Which share each of the collected evaluations holds out.

    Raises:
        pytest.UsageError: None of them holds any out.
    """
    shares = list(holdouts)
    if config.option.llmclf_final and shares and not any(shares):
        from pytest_llmclf.data.holdout import NONE_HELD_OUT

        raise pytest.UsageError(f"--llmclf-final: {NONE_HELD_OUT}")


def _parsed(place: str, parse: Callable[[_Text], _Value], text: _Text) -> _Value:
    """A value as it was meant.

    Raises:
        pytest.UsageError: It makes no sense; the message says where it was given.
    """
    from pytest_llmclf.errors import SettingsError

    try:
        return parse(text)
    except SettingsError as error:
        raise pytest.UsageError(f"{place}: {error}") from error


def _chosen(config: pytest.Config, name: str, parse: Callable[[str], _Value]) -> _Value | None:
    """The value of an option, else of the ini file; ``None`` where neither has one."""
    given: str | None = getattr(config.option, f"llmclf_{name}")
    if given is not None:
        return _parsed(f"--llmclf-{name}", parse, given)
    from_ini: str = config.getini(f"llmclf_{name}")
    return _parsed(f"ini llmclf_{name}", parse, from_ini) if from_ini else None


def _all_given(
    config: pytest.Config, option: str, ini: str, parse: Callable[[str], _Value]
) -> tuple[_Value, ...]:
    """The values of the ini file, then those of the command line."""
    texts = config.getini(f"llmclf_{ini}"), getattr(config.option, f"llmclf_{option}") or []
    places = f"ini llmclf_{ini}", f"--llmclf-{option}"
    return tuple(
        _parsed(place, parse, text)
        for place, given in zip(places, texts, strict=True)
        for text in given
    )


def _models(config: pytest.Config) -> tuple[ModelSpec, ...]:
    from pytest_llmclf.models.spec import parse_spec

    # Command line over environment over ini; each replaces, none adds.
    said: list[str] = config.option.llmclf_model or []
    from_environment = os.environ.get("LLMCLF_MODEL", "").split()
    from_ini: list[str] = config.getini("llmclf_model")
    texts = said or from_environment or from_ini or ["auto"]
    return tuple(dict.fromkeys(_parsed("--llmclf-model", parse_spec, text) for text in texts))


def _gates(config: pytest.Config) -> tuple[tuple[str, Gate], ...]:
    from pytest_llmclf.gates.gate import parse_addressed

    return _all_given(config, "gate", "gates", parse_addressed)


def _prices(config: pytest.Config) -> tuple[tuple[str, Price], ...]:
    from pytest_llmclf.values.price import parse_price

    return _all_given(config, "price", "prices", parse_price)


def _variants(config: pytest.Config) -> tuple[tuple[str, Variant], ...]:
    from pytest_llmclf.runner.variant_option import parse_variant, parse_variants

    _all_given(config, "variant", "variants", parse_variant)  # a slip in one is told with its place
    texts = [*config.getini("llmclf_variants"), *(config.option.llmclf_variant or [])]
    return _parsed("--llmclf-variant", parse_variants, texts)


def _probes(config: pytest.Config) -> tuple[Probe, ...]:
    from pytest_llmclf.values.probe_answers import PROBES, parse_probes

    given: list[str] = config.option.llmclf_probe or []
    asked = {probe for text in given for probe in _parsed("--llmclf-probe", parse_probes, text)}
    return tuple(probe for probe in PROBES if probe in asked)


def _tolerance(config: pytest.Config) -> Tolerance | None:
    from pytest_llmclf.analysis.comparison.tolerance import parse_tolerance

    return _chosen(config, "tolerance", parse_tolerance)


def _margin(config: pytest.Config) -> Margin | None:
    from pytest_llmclf.analysis.comparison.margin import parse_margin

    return _chosen(config, "margin", parse_margin)


def _think(config: pytest.Config) -> Think | None:
    from pytest_llmclf.values.thinking import parse_think

    return _chosen(config, "think", parse_think)


_GIVEN: Final[dict[str, Callable[[pytest.Config], object]]] = {
    "model": _models,
    "gate": _gates,
    "price": _prices,
    "variant": _variants,
    "tolerance": _tolerance,
    "margin": _margin,
    "think": _think,
    "probe": _probes,
}
"""What reads an option: a slip in one that is given is told before anything is collected."""


_WRITTEN: Final = {"run": True, "html": False, "summary": False, "record": False}
"""Options that say where results are written, and whether that is a folder.

A home that cannot be written stops nobody: answers are then kept in memory.
"""


def read_settings(config: pytest.Config) -> Settings:
    """Everything the user said, checked.

    Raises:
        pytest.UsageError: A value makes no sense; the message says which and the remedy.
    """
    # Imported here: a run without an evaluation never gets this far.
    from pytest_llmclf.gates.sequential.watch import EARLY_ERROR
    from pytest_llmclf.runner.settings import DEFAULT_SEED, Settings

    option = config.option
    if getattr(option, "forked", False):
        raise pytest.UsageError(
            "--forked gives each test a process of its own, and the threads that ask ahead are "
            "not in it: leave it out for evaluations; -n N runs tests in several processes"
        )
    return Settings(
        root=config.rootpath,
        home=_path(config, "home") or _project_home(config),
        models=_models(config),
        sample=option.llmclf_sample,
        seed=DEFAULT_SEED if option.llmclf_seed is None else option.llmclf_seed,
        strict=option.llmclf_strict,
        record=_path(config, "record"),
        allow_remote=_hosts(config, "allow_remote"),
        allow_clear_key=_hosts(config, "allow_clear_key"),
        allow_links=_allowed_links(config),
        asking=_asking_policy(config),
        timeout_s=option.llmclf_timeout,
        pull=option.llmclf_pull,
        run_folder=_path(config, "run"),
        gates=_gates(config),
        prices=_prices(config),
        inconclusive=_inconclusive(config),
        stop_early=(option.llmclf_stop_error or EARLY_ERROR) if option.llmclf_stop_early else None,
        repeats=option.llmclf_repeats,
        require_baseline=option.llmclf_require_baseline or config.getini("llmclf_require_baseline"),
        tolerance=_tolerance(config),
        margin=_margin(config),
        page=_path(config, "html"),
        image_bytes=0 if option.llmclf_no_images else round(option.llmclf_image_budget * 1e6),
        summary=_path(config, "summary"),
        parquet=option.llmclf_parquet,
        think=_think(config),
        variants=_variants(config),
        final=option.llmclf_final,
        probes=_probes(config),
        probe_images=option.llmclf_probe_images,
    )


def _project_home(config: pytest.Config) -> Path:
    """As commands find it, so that both mean the same wherever they are called."""
    from pytest_llmclf.runner.settings import project_root

    return project_root(config.invocation_params.dir, config.rootpath) / HOME_FOLDER


def _asking_policy(config: pytest.Config) -> AskingPolicy:
    from pytest_llmclf.runner.job import AskingPolicy

    option = config.option
    policy = AskingPolicy(
        in_flight=option.llmclf_in_flight,
        attempts=option.llmclf_attempts,
        fresh=option.llmclf_fresh,
        away_s=_server_wait_s(config),
    )
    # In a run that may stop early, what is asked far ahead of a decision is asked for nothing.
    return replace(policy, ahead=None) if option.llmclf_stop_early else policy


def _hosts(config: pytest.Config, name: str) -> frozenset[str]:
    """Hosts of an option, and those of the ini file."""
    return hosts_of(getattr(config.option, f"llmclf_{name}"), config.getini(f"llmclf_{name}"))


def _allowed_links(config: pytest.Config) -> tuple[Path, ...]:
    from_ini: list[str] = config.getini("llmclf_allow_links")
    said = config.option.llmclf_allow_links or ()
    folders = [
        *(_absolute(config, text) for text in said),
        # As other paths of an ini file, they count from the root folder.
        *(config.rootpath / Path(text.strip()).expanduser() for text in from_ini),
    ]
    for folder in folders:
        if not folder.is_dir():
            raise pytest.UsageError(f"--llmclf-allow-links: there is no folder {folder}")
    return tuple(folders)


def _server_wait_s(config: pytest.Config) -> float:
    from pytest_llmclf.runner.job import away_s

    minutes: float | None = config.option.llmclf_server_wait
    said: str = config.getini("llmclf_server_wait")
    if minutes is None and said:
        try:
            minutes = at_least(float, 0)(said)
        except argparse.ArgumentTypeError as error:
            raise pytest.UsageError(f"ini llmclf_server_wait: {error}") from error
    return away_s(minutes)


def _inconclusive(config: pytest.Config) -> Inconclusive:
    from pytest_llmclf.runner.settings import INCONCLUSIVE

    said: str = config.option.llmclf_inconclusive or config.getini("llmclf_inconclusive") or "fail"
    if said not in INCONCLUSIVE:
        raise pytest.UsageError(
            f"ini llmclf_inconclusive: {said!r} is not one of {', '.join(INCONCLUSIVE)}"
        )
    return cast("Inconclusive", said)


def _path(config: pytest.Config, name: str) -> Path | None:
    """The path that an option names, if it is given."""
    given: str | None = getattr(config.option, f"llmclf_{name}")
    return None if given is None else _absolute(config, given)


def _absolute(config: pytest.Config, text: str) -> Path:
    # Paths on the command line are relative to where pytest was called, as its own are;
    # options stay text, since xdist can send only built-ins to its workers.
    return (config.invocation_params.dir / Path(text).expanduser()).absolute()
