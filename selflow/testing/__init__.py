"""Public fakes of the ports, and the laws that every implementation of a contract keeps."""

from selflow.testing.clusterers import CLUSTERER_LAWS, check_clusterer
from selflow.testing.experts import EXPERT_LAWS, Walk, check_expert
from selflow.testing.fakes import ManualClock, MemoryLog
from selflow.testing.sinks import SINK_LAWS, SinkAndFeed, check_sink
from selflow.testing.sources import SOURCE_LAWS, Recorder, check_source
from selflow.testing.texts import TEXT_LAWS, check_text_expert

__all__ = [
    "CLUSTERER_LAWS",
    "EXPERT_LAWS",
    "SINK_LAWS",
    "SOURCE_LAWS",
    "TEXT_LAWS",
    "ManualClock",
    "MemoryLog",
    "Recorder",
    "SinkAndFeed",
    "Walk",
    "check_clusterer",
    "check_expert",
    "check_sink",
    "check_source",
    "check_text_expert",
]
