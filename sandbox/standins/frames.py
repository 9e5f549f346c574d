"""Prometheus' answers in the form that Grafana's query API gives them."""

from __future__ import annotations

from typing import Any

Obj = dict[str, Any]


def frame(series: Obj) -> Obj:
    """One series of an instant query as a data frame: a time column and a value column."""
    time, value = series["value"]
    fields = [
        {"name": "Time", "type": "time", "typeInfo": {"frame": "time.Time"}},
        {"name": "Value", "type": "number", "typeInfo": {"frame": "float64"}, "labels": series["metric"]},
    ]
    return {"schema": {"fields": fields}, "data": {"values": [[int(float(time) * 1000)], [float(value)]]}}
