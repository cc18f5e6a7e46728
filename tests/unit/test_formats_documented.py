"""docs/formats.md against what can be read and written."""

import re
from pathlib import Path

from cli.lists import ENDINGS, FileFormat
from recsys.export import EXPORT_FORMATS
from recsys.sources import CSV_FIELDS, FORMATS

TEXT = (Path(__file__).parents[2] / "docs" / "formats.md").read_text(encoding="utf-8")
IN, OUT = TEXT.split("\n## Out\n")


def test_every_format_has_a_row_with_an_example() -> None:
    for name in FORMATS:
        assert re.search(rf"^\|[^|]*`{name}`.*`recsys ingest ", IN, re.MULTILINE), name
    for name in EXPORT_FORMATS:
        assert re.search(rf"^\| `{name}` \|.*`recsys ", OUT, re.MULTILINE), name
    for field in CSV_FIELDS:
        assert f"`{field}`" in IN


def test_every_example_names_a_format_that_there_is() -> None:
    assert set(re.findall(r"`recsys ingest ([a-z0-9]+)", IN)) == set(FORMATS) - {"playlists"}
    assert {item.value for item in FileFormat} == set(EXPORT_FORMATS)
    endings = set(re.findall(r" -o \w+\.(\w+)", OUT)) - {"jsonl"}
    assert {ENDINGS.get(ending) or FileFormat(ending) for ending in endings} <= set(FileFormat)
