"""The whole of discovery, on streams with known truth."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from selflow.core.errors import ArtifactError
from selflow.core.settings import DiscoverSettings
from selflow.core.steps import Step
from selflow.discover.admission import GATE_PER_TRAIN
from selflow.discover.discover import (
    BALANCE_DAYS,
    BALANCES,
    Clustered,
    Discovery,
    NullScore,
    choose_balance,
    cluster,
    conclude,
    null_numbers,
    null_score,
)
from selflow.discover.families import FAMILIES, Sample
from selflow.discover.model import ClusterModel
from selflow.discover.naming import Pattern
from selflow.discover.persistence import Labels
from selflow.discover.stability import Effort, measured
from tests.unit.discover.worlds import ACTIVITIES, one_cloud, planted

pytestmark = pytest.mark.slow

SETTINGS = DiscoverSettings(bootstraps=2, null_sets=2)
GATE_STEPS = 40
SEED = 1
STEPS, TRUTH = planted(days=12)


@pytest.fixture(scope="module")
def clustered() -> Clustered:
    return cluster(STEPS, SETTINGS, SEED)


def kept(files: Mapping[str, bytes], folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def admitted(found: Discovery) -> list[Pattern]:
    return [pattern for pattern in found.patterns if not pattern.reason]


def with_first(clustered: Clustered, **figures: float) -> Clustered:
    """The same but for these figures of its first pattern."""
    first, *others = clustered.patterns
    patterns = (dataclasses.replace(first, **figures), *others)  # type: ignore[arg-type]
    return dataclasses.replace(clustered, patterns=patterns)


def raising(_sample: Sample, _ks: Sequence[int], _seed: int) -> Labels:
    raise ZeroDivisionError


def test_planted_activities_are_found_and_named(clustered: Clustered) -> None:
    found = conclude(clustered, [], SETTINGS, GATE_STEPS)
    words = [set(pattern.name.split("-")) for pattern in found.patterns]
    planted_words = [
        set("-".join(stems).replace("/", "-").split("-")) | {ext}
        for _, stems, ext in ACTIVITIES.values()
    ]

    assert len(found.patterns) == 5
    assert all(sum(own <= theirs for theirs in planted_words) == 1 for own in words)
    assert len({pattern.name for pattern in found.patterns}) == 5
    assert all((pattern.agreement or 0) >= 0.75 for pattern in found.patterns)
    assert sum(pattern.share for pattern in found.patterns) == pytest.approx(found.report.coverage)


def test_steps_are_assigned_to_the_activity_that_goes_on(clustered: Clustered) -> None:
    assigned = clustered.model.assign_before(STEPS)
    under_way = [place for place in range(1, len(STEPS)) if TRUTH[place] == TRUTH[place - 1]]

    assert adjusted_rand_score([TRUTH[place] for place in under_way], assigned[under_way]) >= 0.8
    assert assigned[0] == -1


def test_a_pattern_shows_its_hour_and_its_typical_windows(clustered: Clustered) -> None:
    hours = {hour: ext for hour, _, ext in ACTIVITIES.values()}
    for pattern in clustered.patterns[:-1]:
        peak = int(np.argmax(pattern.hours))
        extension = hours.get(peak) or hours[peak - 1]

        assert sum(pattern.hours) == pytest.approx(1)
        assert len(pattern.medoids) == 5
        assert all(label.endswith(extension) for window in pattern.medoids for label in window)


def test_same_seed_same_answer(clustered: Clustered) -> None:
    again = cluster(STEPS, SETTINGS, SEED)

    assert again.files() == clustered.files()
    assert null_score(again, 1) == null_score(clustered, 1)


def test_what_is_kept_comes_back_bit_for_bit(clustered: Clustered, tmp_path: Path) -> None:
    back = Clustered.load(kept(clustered.files(), tmp_path / "clustered"))
    model = ClusterModel.load(kept(clustered.model.files(), tmp_path / "model"))

    assert back.files() == clustered.files()
    assert (back.report, back.patterns) == (clustered.report, clustered.patterns)
    assert np.array_equal(model.assign_before(STEPS), clustered.model.assign_before(STEPS))


@pytest.mark.parametrize("damage", [None, b"", b"no archive"])
def test_a_model_that_is_not_whole_is_refused(tmp_path: Path, damage: bytes | None) -> None:
    if damage is not None:
        (tmp_path / "clusters.npz").write_bytes(damage)

    with pytest.raises(ArtifactError, match=r"clusters\.npz"):
        ClusterModel.load(tmp_path)


def test_a_model_of_windows_with_other_columns_is_refused(
    clustered: Clustered, tmp_path: Path
) -> None:
    ours = clustered.model
    model = dataclasses.replace(ours, mean=ours.mean[2:], axes=ours.axes[2:])

    with pytest.raises(ArtifactError, match="61 columns, not 63"):
        ClusterModel.load(kept(model.files(), tmp_path / "model"))


def test_the_next_months_of_the_same_behaviour_are_no_noise(clustered: Clustered) -> None:
    later = planted(days=36)[0][len(STEPS) :]

    assert (clustered.model.assign_before(later) < 0).mean() < 0.05


def test_nothing_after_a_step_has_a_part_in_its_pattern(clustered: Clustered) -> None:
    rng = np.random.default_rng(8)
    for cut in (1, 77, 700):
        later = [STEPS[place].labels for place in cut + rng.permutation(len(STEPS) - cut)]
        moments = np.cumsum(rng.integers(0, 10**10, len(later))) + STEPS[cut - 1].ts_us
        scrambled = [Step(int(ts_us), labels) for ts_us, labels in zip(moments, later, strict=True)]
        expected = clustered.model.assign_before(STEPS)[: cut + 1]

        assert np.array_equal(
            clustered.model.assign_before([*STEPS[:cut], *scrambled])[: cut + 1], expected
        )
        assert np.array_equal(clustered.model.assign_before(STEPS[:cut]), expected[:cut])


def test_a_family_that_raises_counts_nothing_and_is_named(clustered: Clustered) -> None:
    broken = cluster(STEPS, SETTINGS, SEED, families={**FAMILIES, "ward": raising})

    assert broken.report.families["ward"] == {
        "k": 0,
        "ami": 0,
        "ari": 0,
        "error": "ZeroDivisionError",
    }
    assert all(
        each["error"] == "" for name, each in broken.report.families.items() if name != "ward"
    )
    assert max(pattern.agreement or 0 for pattern in broken.patterns) <= 0.8 + 1e-9
    assert broken.report.s < clustered.report.s


def test_nothing_after_the_first_70_percent_of_days_has_a_part_in_the_balance(
    clustered: Clustered,
) -> None:
    rng, day = np.random.default_rng(3), np.arange(len(clustered.day)) // 4
    late = day > np.quantile(np.unique(day), BALANCE_DAYS)
    scrambled = {
        name: np.where(late[:, None], rng.standard_normal(block.shape), block)
        for name, block in clustered.blocks.items()
    }
    seen: list[list[bytes]] = []
    for blocks in (clustered.blocks, scrambled):
        rows: list[bytes] = []

        def spy(sample: Sample, ks: Sequence[int], seed: int, rows: list[bytes] = rows) -> Labels:
            rows.append(sample.rows.tobytes())
            return FAMILIES["ward"](sample, ks, seed)

        choose_balance(blocks, day, SEED, {"ward": spy})
        seen.append(rows)

    assert seen[0] == seen[1]
    assert len(seen[0]) == 2 * len(BALANCES)


def test_five_families_that_raise_leave_no_pattern() -> None:
    blind = cluster(STEPS, SETTINGS, SEED, families=dict.fromkeys(FAMILIES, raising))
    found = conclude(blind, [], SETTINGS, GATE_STEPS)

    assert [pattern.name for pattern in found.patterns] == ["everything"]
    assert found.report.s == 0
    assert {each["error"] for each in found.report.families.values()} == {"ZeroDivisionError"}


def test_blocks_in_an_order_of_their_own_hold_no_pattern(clustered: Clustered) -> None:
    rng = np.random.default_rng(2)
    blocks = {name: rng.permutation(block) for name, block in clustered.blocks.items()}
    found = measured(blocks, clustered.day, Effort(2), SEED, FAMILIES)
    patterns = [
        dataclasses.replace(clustered.patterns[0], agreement=float(j)) for j in found.agreement
    ]
    permuted = dataclasses.replace(clustered, patterns=(*patterns, clustered.patterns[-1]))

    assert [pattern.name for pattern in admitted(conclude(permuted, [], SETTINGS, GATE_STEPS))] == [
        "everything"
    ]


@pytest.mark.parametrize("outsiders", [0, 10], ids=["one cloud", "95 to 5"])
def test_one_big_cluster_scores_nothing(clustered: Clustered, outsiders: int) -> None:
    blocks, day = one_cloud(200, outsiders)
    found = measured(blocks, day, Effort(2), SEED, FAMILIES)
    report = dataclasses.replace(clustered.report, s=found.s, coverage=found.coverage)
    cloud = dataclasses.replace(clustered, blocks=blocks, day=day, report=report)
    nulls = [null_score(cloud, number) for number in range(2)]

    assert conclude(cloud, nulls, SETTINGS, GATE_STEPS).report.s_star == pytest.approx(0, abs=0.1)
    assert found.agreement.max() < SETTINGS.min_agreement


def test_planted_activities_agree_more_than_null_data(clustered: Clustered) -> None:
    nulls = [null_score(clustered, number) for number in null_numbers(clustered, SETTINGS)]
    report = conclude(clustered, nulls, SETTINGS, GATE_STEPS).report

    assert report.s_null is not None
    assert report.s_star is not None
    assert report.c_star is not None
    assert report.s_null <= 0.6
    assert 0.7 <= report.s_star <= report.s
    assert report.c_star >= 0.8


def test_without_null_data_nothing_is_said_of_them(clustered: Clustered) -> None:
    report = conclude(clustered, [], SETTINGS, GATE_STEPS).report

    assert (report.s_null, report.s_star, report.c_star) == (None, None, None)


@pytest.mark.parametrize(
    ("s", "null", "expected"),
    [(0.8, 0.6, 0.5), (0.5, 0.6, 0.0), (1.0, 0.9995, 0.0)],
    ids=["above", "below", "no room"],
)
def test_the_null_score_is_taken_off(
    clustered: Clustered, s: float, null: float, expected: float
) -> None:
    scored = dataclasses.replace(
        clustered, report=dataclasses.replace(clustered.report, s=s, coverage=1.0)
    )
    report = conclude(scored, [NullScore(0, null, null)], SETTINGS, GATE_STEPS).report

    assert report.s_star == pytest.approx(expected)
    assert report.c_star == pytest.approx(expected)


@pytest.mark.parametrize(
    ("days", "events", "why"), [(9, 24, "9 of 10"), (11, 1, "11 of 60"), (0, 0, "0 of 10")]
)
def test_too_little_is_not_clustered(days: int, events: int, why: str, tmp_path: Path) -> None:
    steps = planted(days, events)[0]
    few = Clustered.load(kept(cluster(steps, SETTINGS, SEED).files(), tmp_path))
    found = conclude(few, [null_score(few, 0)], SETTINGS, GATE_STEPS)

    assert why in found.report.note
    assert [(pattern.name, pattern.number, pattern.agreement) for pattern in found.patterns] == [
        ("everything", -1, None)
    ]
    assert found.patterns[0].events == len(steps)
    assert (found.model.assign_before(steps) == -1).all()
    assert found.report.s_star is None


@pytest.mark.setting("discover.bootstraps")
@pytest.mark.parametrize("bootstraps", [2, 3])
def test_every_family_is_fitted_to_as_many_bootstraps_as_are_asked_for(bootstraps: int) -> None:
    told: list[tuple[int, int]] = []
    settings = DiscoverSettings(bootstraps=bootstraps)
    cluster(
        STEPS,
        settings,
        SEED,
        lambda done, total: told.append((done, total)),
        {"ward": FAMILIES["ward"]},
    )

    assert told == [(done, bootstraps) for done in range(1, bootstraps + 1)]


@pytest.mark.setting("discover.null_sets")
def test_as_many_null_data_sets_are_named_as_are_asked_for(clustered: Clustered) -> None:
    assert list(null_numbers(clustered, DiscoverSettings(null_sets=3))) == [0, 1, 2]
    assert list(null_numbers(clustered, DiscoverSettings(null_sets=0))) == []


def test_null_data_are_skipped_where_little_is_agreed_on(clustered: Clustered) -> None:
    report = dataclasses.replace(clustered.report, s=0.49)
    doubtful = dataclasses.replace(clustered, report=report)
    found = conclude(doubtful, [], SETTINGS, GATE_STEPS).report

    assert not null_numbers(doubtful, SETTINGS)
    assert found.s_star is None
    assert "S is 0.490; below 0.5 no null data set is scored" in found.note


@pytest.mark.setting("discover.min_agreement")
def test_clusters_under_the_agreement_asked_for_get_no_agent(clustered: Clustered) -> None:
    doubtful = with_first(clustered, agreement=0.8)
    strict = SETTINGS.model_copy(update={"min_agreement": 0.9})
    found = conclude(doubtful, [], strict, GATE_STEPS)

    assert len(admitted(conclude(doubtful, [], SETTINGS, GATE_STEPS))) == len(ACTIVITIES)
    assert len(admitted(found)) == len(ACTIVITIES) - 1
    assert len(found.patterns) == len(ACTIVITIES)
    assert all("agreement" in pattern.reason for pattern in found.patterns if pattern.reason)


def test_clusters_that_the_gate_could_not_judge_get_no_agent(clustered: Clustered) -> None:
    most = 2 * max(pattern.steps for pattern in clustered.patterns[:-1])
    one_large = with_first(clustered, steps=most)
    found = conclude(one_large, [], SETTINGS, int(most * GATE_PER_TRAIN))

    assert {pattern.steps for pattern in admitted(found)} == {most}
    nothing = conclude(one_large, [], SETTINGS, int(most * GATE_PER_TRAIN) + 1)
    assert [pattern.name for pattern in admitted(nothing)] == ["everything"]
    assert nothing.patterns[0].share == 1
    assert len(nothing.patterns) == len(clustered.patterns)


def test_what_is_found_can_be_written_as_json(clustered: Clustered) -> None:
    document = conclude(clustered, [NullScore(0, 0.1, 0.1)], SETTINGS, GATE_STEPS).document()

    assert {
        "windows",
        "days",
        "k",
        "s",
        "s_null",
        "s_star",
        "c_star",
        "coverage",
        "families",
        "note",
    } < set(document)
    assert document["patterns"][0]["name"] == clustered.patterns[0].name
