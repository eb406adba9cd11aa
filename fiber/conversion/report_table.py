"""An account of a conversion, as people read it."""

from rich.table import Table
from rich.text import Text

from fiber.conversion.key_report import KeyReport, examples


def report_table(report: KeyReport) -> Table:
    """What became of the tensors: counts, and a few names."""
    table = Table("tensors", "count", title=Text(" and ".join(report.sources)))
    table.add_column("such as", overflow="fold")
    for fate, names in report.rows():
        if names:
            table.add_row(fate, str(len(names)), Text(examples(names)))
    return table
