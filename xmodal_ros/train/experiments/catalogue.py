"""The experiments by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from xmodal_ros.core.errors import DataError, SettingsError
from xmodal_ros.train.experiments.experiment import (
    Condition,
    Experiment,
    Given,
    Variant,
)
from xmodal_ros.train.touch.pretrained import encoder_title, pretrained_settings

CEC = ("trunk.fusion=cec", "trunk.tokens=patch")
HEADS = (1, 2, 4, 8, 16)
WIDTHS = (64, 128, 256)
SIGMAS = (10.0, 25.0, 50.0)
"""Of noise, grey levels: a dim camera, a bad one, and one that cannot be used."""


def conditioning(given: Given) -> Experiment:
    """CEC on patch tokens, pooled and off, one sense alone, and peers."""
    encoder = given.encoder
    fusions = {
        "CEC, patch tokens": CEC,
        "CEC, pooled": ("trunk.fusion=cec", "trunk.tokens=pooled"),
        "CEC off (mean of tokens)": ("trunk.fusion=mean",),
        "concatenation": ("trunk.fusion=concat",),
        "self-attention, after VTFSA": ("trunk.fusion=self_attention",),
    }
    variants = [Variant(title, overrides, encoder) for title, overrides in fusions.items()]
    if given.mvitac:
        variants.append(Variant("MViTac, concatenation", ("trunk.fusion=concat",), given.mvitac))
    if len(given.senses) > 1:
        variants += [
            Variant(f"{sense} alone", (*CEC, f"heads.streams={','.join(streams)}"), encoder)
            for sense, streams in given.senses.items()
        ]
    missing = () if given.mvitac else ("MViTac was not run: no --mvitac was named.",)
    return Experiment(
        "Does conditioning on patch tokens help, and what does each sense give?",
        tuple(variants),
        compared=True,
        baselines=True,
        notes=missing,
    )


def encoders(given: Given) -> Experiment:
    """The frozen encoder swapped: pretrained on pairs, on ImageNet only, and random."""
    weights = given.settings.encoder.weights
    plain = "ImageNet only" if weights == "package" else f"not pretrained on pairs: {weights}"
    swapped = []
    for file in given.encoders:
        alone = " alone" if pretrained_settings(file)["weights"] == "random" else ""
        title = f"pretrained on pairs{alone}: {encoder_title(file)}"
        swapped.append(Variant(title, CEC, file))
    return Experiment(
        "What does the frozen encoder have to know?",
        (*swapped, Variant(plain, CEC), Variant("random", (*CEC, "encoder.weights=random"))),
        compared=True,
        notes=(
            "Every encoder is frozen: its weights have the same SHA-256 before and after training "
            "(encoder_sha256 in the JSON file), else the experiment stops.",
            "On pairs alone: from random weights; other encoders saw ImageNet before.",
        ),
    )


def separate(given: Given) -> Experiment:
    """One encoder for conditions and tokens, or a second one that learns."""
    options = {
        "shared (adapters on the frozen encoder)": "trunk.encoders=shared",
        "separate (a second encoder learns)": "trunk.encoders=separate",
    }
    return Experiment(
        "Is a second encoder for the task worth its time?",
        tuple(Variant(title, (*CEC, text), given.encoder) for title, text in options.items()),
        compared=True,
    )


def sizes(given: Given) -> Experiment:
    """Heads of the conditioning, and width."""
    heads = [
        Variant(
            f"attention heads: {count}", (*CEC, f"trunk.attention_heads={count}"), given.encoder
        )
        for count in HEADS
    ]
    widths = [Variant(f"width: {width}", (*CEC, f"trunk.dim={width}")) for width in WIDTHS]
    return Experiment(
        "How many heads, and how wide?",
        (*heads, *widths),
        notes=(
            "A pretrained encoder's embedding has one width, so the rows of widths have the "
            f"encoder '{given.settings.encoder.weights}' and a random embedding: compare them "
            "with each other.",
        ),
    )


def robustness(given: Given) -> Experiment:
    """Senses missing or noisy when asked, trained with and without modality dropout."""
    senses = tuple(given.senses)
    conditions = [Condition("all there")]
    noisy: list[tuple[str, tuple[str, ...]]] = [(sense, (sense,)) for sense in senses]
    if len(senses) > 1:
        conditions += [Condition(f"no {sense}", drop=sense) for sense in senses]
        noisy.append(("both", senses))
    conditions += [
        Condition(f"{title} noisy, {sigma:g}", noisy=which, sigma=sigma)
        for title, which in noisy
        for sigma in SIGMAS
    ]
    share = given.settings.schedule.modality_dropout
    variants = {
        f"modality dropout {share:g}": CEC,
        "no modality dropout": (*CEC, "schedule.modality_dropout=0"),
    }
    return Experiment(
        "What is left when a sense is missing or noisy?",
        tuple(
            Variant(title, overrides, given.encoder, conditions=tuple(conditions))
            for title, overrides in variants.items()
        ),
        notes=("Noise is Gaussian, its standard deviation in grey levels of 255.",),
    )


def transfer(given: Given) -> Experiment:
    """Trained on one of two data sets, asked about the other, grasp outcomes only."""
    if len(given.data) != 2:
        raise DataError(
            f"got {len(given.data)} data sets", where="transfer", expected="two, such as CELL SLIP"
        )
    common = sorted(frozenset.intersection(*given.streams))
    if not common:
        raise DataError("the data sets have no stream in common", where=" and ".join(given.data))
    grasp = (*CEC, "heads.names=grasp", f"heads.streams={','.join(common)}")
    variants = []
    for place, name in enumerate(given.data):
        other = 1 - place
        conditions = (
            Condition(f"asked about {name}", on=place),
            Condition(f"asked about {given.data[other]}", on=other),
            Condition(f"asked about {given.data[other]}, adapted", on=other, adapt=True),
        )
        variants.append(Variant(f"trained on {name}", grasp, given.encoder, (place,), conditions))
    both = tuple(Condition(f"asked about {n}", on=k) for k, n in enumerate(given.data))
    variants.append(Variant("trained on both", grasp, given.encoder, conditions=both))
    return Experiment(
        "Do grasp outcomes carry over from one data set to the other?",
        tuple(variants),
        notes=(
            f"Streams: {', '.join(common)}. Adapted: the BatchNorm statistics of the adapters' "
            "input are those of the other data set's training part, without its labels (AdaBN, "
            "arXiv 1603.04779). Calibrated on the validation part of what was trained on.",
        ),
    )


def speed(given: Given) -> Experiment:
    """Time and parameters of every variant of the other experiments, in one run."""
    found = [
        replace(variant, conditions=())
        for part in (conditioning, encoders, separate, sizes)
        for variant in part(given).variants
    ]
    unique = {(v.overrides, v.encoder): v for v in reversed(found)}
    variants = sorted(unique.values(), key=found.index)
    return Experiment("What does each variant cost?", tuple(variants), trains=False)


EXPERIMENTS: dict[str, Callable[[Given], Experiment]] = {
    "conditioning": conditioning,
    "encoders": encoders,
    "separate": separate,
    "sizes": sizes,
    "robustness": robustness,
    "transfer": transfer,
    "speed": speed,
}


def check_name(name: str) -> None:
    """Refuse a name that is no experiment's.

    Raises:
        SettingsError: names those there are.
    """
    if name not in EXPERIMENTS:
        raise SettingsError(
            f"no experiment '{name}'", where="NAME", expected="one of " + ", ".join(EXPERIMENTS)
        )
