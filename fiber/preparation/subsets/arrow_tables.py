"""Small Arrow files."""

from collections import defaultdict
from collections.abc import Sequence

import pyarrow as pa

from fiber.data.readers.arrow import ArrowPairs
from fiber.data.readers.arrow_questions import ArrowQuestions
from fiber.data.readers.arrow_statements import ArrowStatements
from fiber.preparation.subsets.chosen_samples import ChosenSamples
from fiber.preparation.subsets.small_folder import SmallFolder

ArrowReader = ArrowPairs | ArrowQuestions | ArrowStatements


def write_arrow(chosen: Sequence[ChosenSamples[ArrowReader]], folder: SmallFolder) -> None:
    """Write the chosen rows of every file; a file of which none is chosen becomes an empty table."""
    tables: dict[str, pa.Table] = {}
    rows: dict[str, set[int]] = defaultdict(set)
    for part in chosen:
        tables.update(zip(part.reader.tables.paths, part.reader.tables.tables, strict=True))
        for index in part.indices:
            table, row = part.reader.tables.find(row_of(part.reader, index))
            rows[part.reader.tables.paths[table]].add(row)
    for path, table in tables.items():
        small = table.take(sorted(rows[path])) if rows[path] else table.slice(0, 0)
        with pa.OSFile(str(folder.new(path)), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(small)


def row_of(reader: ArrowReader, index: int) -> int:
    """The row of a sample, counted over all tables."""
    return index if isinstance(reader, ArrowPairs) else reader.samples.find(index)[0]
