"""What in docs/ is made from the code: `make docs` writes it, tests/unit/test_docs_made.py compares it."""

from pathlib import Path

from .commands import commands_page
from .pictures import PICTURES
from .schema import schema_page

DOCS = Path(__file__).parents[1]


def made_pages() -> dict[Path, str]:
    """The text of each file that is made."""
    pages = {DOCS / "commands.md": commands_page(), DOCS / "schema.md": schema_page()}
    return pages | {DOCS / "pictures" / f"{name}.svg": draw() for name, draw in PICTURES.items()}
