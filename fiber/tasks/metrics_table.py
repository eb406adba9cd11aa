"""Metrics for people."""

from collections.abc import Mapping

from rich.table import Table


def metrics_table(metrics: Mapping[str, float]) -> Table:
    """The content of `metrics.json`."""
    table = Table(title="metrics.json")
    table.add_column("metric")
    table.add_column("value", justify="right")
    for name, value in metrics.items():
        table.add_row(name, f"{value:.4f}" if abs(value) < 100 else f"{value:,.1f}")
    return table
