"""What became of events, counted once and summed over doors."""

from selflow.core.histogram import BOUNDS_S, Histogram, cumulative
from selflow.core.ingest_counts import IngestCounts


def test_two_doors_of_one_source_are_summed() -> None:
    counts = IngestCounts.of(
        [
            {("shell", "accepted"): 3, ("shell", "dropped"): 1},
            {("shell", "accepted"): 4, ("files", "lost"): 2},
        ],
        {},
    )

    assert counts.events == {"shell": {"accepted": 7, "dropped": 1}, "files": {"lost": 2}}
    assert counts.totals == {"accepted": 7, "dropped": 1, "lost": 2}


def test_a_histogram_counts_each_duration_up_to_its_bound() -> None:
    histogram = Histogram()
    for duration_s in (0.0005, 0.001, 0.3, 99.0):
        histogram.observe(duration_s)
    buckets, sum_s = cumulative(histogram.document())

    assert sum_s == 99.3015
    assert dict(buckets)["0.001"] == 2.0
    assert dict(buckets)["0.5"] == 3.0
    assert buckets[-1] == ("+Inf", 4.0)
    assert len(buckets) == len(BOUNDS_S) + 1


def test_before_the_first_event_nothing_is_counted() -> None:
    assert cumulative({}) == ([("+Inf", 0.0)], 0.0)
