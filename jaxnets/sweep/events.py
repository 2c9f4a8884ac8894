"""TensorBoard's event files: records of protocol buffers, with the messages that its HParams tab reads.

They are made here and not by a ``SummaryWriter``, which starts a thread and puts the machine's name into the
file's. See https://github.com/tensorflow/tensorboard, ``tensorboard/plugins/hparams``.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

FIELDS = {float: "number_value", bool: "bool_value", str: "string_value"}
TYPES = {float: "DATA_TYPE_FLOAT64", bool: "DATA_TYPE_BOOL", str: "DATA_TYPE_STRING"}


def file_of(seconds: float, entries: Iterable[tuple[int, list[Any]]]) -> bytes:
    """Events as a file has them: their length, its checksum, the event, its checksum.

    Args:
        seconds: since 1970, of all events.
        entries: steps and their values; those without a value are left out.
    """
    from tensorboardX.proto.event_pb2 import Event
    from tensorboardX.proto.summary_pb2 import Summary
    from tensorboardX.record_writer import masked_crc32c

    events = [Event(wall_time=seconds, file_version="brain.Event:2")]
    events += [
        Event(wall_time=seconds, step=step, summary=Summary(value=values))
        for step, values in entries
        if values
    ]
    parts = []
    for content in (event.SerializeToString() for event in events):
        length = struct.pack("<Q", len(content))
        parts += [length, struct.pack("<I", masked_crc32c(length))]
        parts += [content, struct.pack("<I", masked_crc32c(content))]
    return b"".join(parts)


def scalars(numbers: Mapping[str, Any]) -> list[Any]:
    """Values that are numbers; NaN is left out."""
    from tensorboardX.proto.summary_pb2 import Summary

    known = {name: float(number) for name, number in numbers.items() if not np.isnan(number)}
    return [Summary.Value(tag=name, simple_value=number) for name, number in known.items()]


def experiment(kinds: Mapping[str, type], metrics: Mapping[str, str]) -> Any:
    """What all runs have in common.

    Args:
        kinds: of the hyperparameters' values: float, bool or str.
        metrics: the columns of the tab: names by tags.
    """
    from tensorboardX.proto.api_pb2 import DataType, Experiment, HParamInfo, MetricInfo, MetricName

    inputs = [HParamInfo(name=name, type=DataType.Value(TYPES[kind])) for name, kind in kinds.items()]
    outputs = [MetricInfo(name=MetricName(tag=tag), display_name=name) for tag, name in metrics.items()]
    return _of_plugin("experiment", Experiment(hparam_infos=inputs, metric_infos=outputs))


def session_start(hparams: Mapping[str, float | bool | str]) -> Any:
    """The hyperparameters of a run."""
    from tensorboardX.proto.plugin_hparams_pb2 import SessionStartInfo

    start = SessionStartInfo()
    for name, value in hparams.items():
        setattr(start.hparams[name], FIELDS[type(value)], value)
    return _of_plugin("session_start_info", start)


def session_end(*, has_failed: bool) -> Any:
    """How a run ended."""
    from tensorboardX.proto.api_pb2 import Status
    from tensorboardX.proto.plugin_hparams_pb2 import SessionEndInfo

    word = "STATUS_FAILURE" if has_failed else "STATUS_SUCCESS"
    return _of_plugin("session_end_info", SessionEndInfo(status=Status.Value(word)))


def _of_plugin(kind: str, message: Any) -> Any:
    """A message of the tab stands in the description of a value that has none."""
    from tensorboardX.proto.plugin_hparams_pb2 import HParamsPluginData
    from tensorboardX.proto.summary_pb2 import Summary, SummaryMetadata

    content = HParamsPluginData(version=0, **{kind: message}).SerializeToString()
    plugin = SummaryMetadata.PluginData(plugin_name="hparams", content=content)
    return Summary.Value(tag=f"_hparams_/{kind}", metadata=SummaryMetadata(plugin_data=plugin))
