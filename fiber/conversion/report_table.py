"""An account of a conversion, as people read it."""

from rich.table import Table

from fiber.checkpoints.key_report import KeyReport, examples


def report_table(report: KeyReport) -> Table:
    """What became of the tensors: counts, and a few names."""
    table = Table("tensors", "count", "such as", title=report.source)
    for fate, names in report.rows():
        if names:
            table.add_row(fate, str(len(names)), examples(names))
    return table
