"""What in docs/ is made from the code, against what is committed."""

from pathlib import Path

import pytest

from docs.making import DOCS, made_pages

PAGES = made_pages()


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_page_is_what_the_code_says(path: Path) -> None:
    assert path.exists(), "run `make docs`"
    assert path.read_text(encoding="utf-8") == PAGES[path], "run `make docs`, and commit what it writes"


def test_every_picture_is_made() -> None:
    assert set((DOCS / "pictures").iterdir()) == {path for path in PAGES if path.suffix == ".svg"}
