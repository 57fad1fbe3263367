"""What a run was told, parsed once and never changed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from pytest_llmclf.runner.job import AskingPolicy
from pytest_llmclf.runner.shared_options import SHARED_OPTIONS

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_llmclf.analysis.comparison.margin import Margin
    from pytest_llmclf.analysis.comparison.tolerance import Tolerance
    from pytest_llmclf.gates.gate import Gate
    from pytest_llmclf.models.spec import ModelSpec
    from pytest_llmclf.runner.variant import Variant
    from pytest_llmclf.values.price import Price
    from pytest_llmclf.values.probe_answers import Probe
    from pytest_llmclf.values.thinking import Think

DEFAULT_SEED = 20
"""Any fixed number does; samples and orders must be the same for everybody."""

Inconclusive = Literal["fail", "allow"]
"""What becomes of a run whose gates the images cannot decide."""
INCONCLUSIVE: Final[tuple[str, ...]] = get_args(Inconclusive)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that options, environment and ini say.

    Attributes:
        root: pytest's root folder.
        home: Folder of the answer store, the runs and imported datasets.
        models: Who is asked, in order.
        sample: Images a class, or ``None`` for all.
        seed: Seed of the order of images, and of the sample.
        strict: Whether a misclassified or unparsed image fails its test.
        record: Recording to write, or ``None``.
        allow_remote: Hosts outside this machine that images may be sent to.
        allow_clear_key: Hosts outside this machine that keys may be sent to unencrypted.
        allow_links: Folders outside of a dataset that links in it may lead into.
        asking: How the engine asks.
        timeout_s: Seconds that one request may take.
        pull: Whether Ollama may download a missing model.
        run_folder: Where this run's files go; ``None`` for a new folder under `home`.
        gates: Further gates, each with the name (or shell-style pattern) of its evaluations.
        prices: What models cost, each with the model (or shell-style pattern); the last one that
            fits counts.
        inconclusive: What a gate that the images cannot decide does to the exit code; one on
            images without an answer always fails.
        stop_early: How often a run that stops as soon as its gates are decided may say something
            else than all images would; ``None``: all images are asked about.
        repeats: Times that every question is asked.
        require_baseline: Whether a test that compares with committed predictions fails where the
            model has none.
        tolerance: Largest net loss against the committed predictions that passes; ``None``:
            any that chance explains.
        margin: Smallest loss of accuracy against them that is not fine, on images like these;
            ``None``: the comparison is tested for a loss instead.
        page: Where the page for a browser goes; ``None``: into the run's folder.
        image_bytes: How much of the page images may take; 0: it has none.
        summary: Where the summary in Markdown goes besides the run's folder, or ``None``.
        parquet: Whether outcomes are written as Parquet, too.
        think: What is said about thinking instead of what evaluations say; ``None``: nothing.
        variants: What is tried beside what evaluations declare, by name.
        final: Whether the images that are held out are asked about, instead of the others.
        probes: What it is looked into that answers may hang on.
        probe_images: How many images of an evaluation that is asked of; ``None``: as many as show
            a bias of 10 points.
    """

    root: Path
    home: Path
    models: tuple[ModelSpec, ...]
    sample: int | None = None
    seed: int = DEFAULT_SEED
    strict: bool = False
    record: Path | None = None
    allow_remote: frozenset[str] = frozenset()
    asking: AskingPolicy = field(default_factory=AskingPolicy)
    timeout_s: float = SHARED_OPTIONS["timeout"]["default"]
    pull: bool = False
    run_folder: Path | None = None
    gates: tuple[tuple[str, Gate], ...] = ()
    prices: tuple[tuple[str, Price], ...] = ()
    inconclusive: Inconclusive = "fail"
    stop_early: float | None = None
    repeats: int = 1
    require_baseline: bool = False
    tolerance: Tolerance | None = None
    margin: Margin | None = None
    page: Path | None = None
    image_bytes: int = 11_000_000
    summary: Path | None = None
    parquet: bool = False
    allow_clear_key: frozenset[str] = frozenset()
    think: Think | None = None
    allow_links: tuple[Path, ...] = ()
    variants: tuple[tuple[str, Variant], ...] = ()
    final: bool = False
    probes: tuple[Probe, ...] = ()
    probe_images: int | None = None

    def to_json(self) -> dict[str, Any]:
        """As JSON built-ins, without anything private."""
        return {
            "models": [str(spec) for spec in self.models],
            "sample": self.sample,
            "seed": self.seed,
            "strict": self.strict,
            "allow_remote": sorted(self.allow_remote),
            "allow_clear_key": sorted(self.allow_clear_key),
            "in_flight": self.asking.in_flight,
            "attempts": self.asking.attempts,
            "server_wait_s": self.asking.away_s,
            "timeout_s": self.timeout_s,
            "fresh": self.asking.fresh,
            "gates": [f"{name}: {gate.expression}" for name, gate in self.gates],
            "prices": {model: price.to_json() for model, price in self.prices},
            "inconclusive": self.inconclusive,
            "stop_early": self.stop_early,
            "repeats": self.repeats,
            "think": self.think,
            "final": self.final,
            "variants": {name: variant.changes() for name, variant in self.variants},
            "probes": list(self.probes),
            "probe_images": self.probe_images,
            "require_baseline": self.require_baseline,
            "tolerance": None if self.tolerance is None else str(self.tolerance),
            "margin": None if self.margin is None else str(self.margin),
        }


def path_in_project(folder: Path, fallback: Path) -> str:
    """A folder relative to the project that it is in, in POSIX form; empty if it is in none.

    Args:
        folder: Any.
        fallback: The project's folder, where none above has ``modelfiles/``.
    """
    folder, root = folder.resolve(), project_root(folder, fallback).resolve()
    return folder.relative_to(root).as_posix() if folder.is_relative_to(root) else ""


def project_root(start: Path, fallback: Path | None = None) -> Path:
    """The folder that names are looked up in, and that holds what is kept.

    The nearest one from `start` upwards that has ``modelfiles/``, so that it does not matter where
    pytest was called or what it takes for its root folder; else `fallback`, or `start` itself.
    """
    start = start.resolve()
    for folder in (start, *start.parents):
        if (folder / "modelfiles").is_dir():
            return folder
    return fallback or start
