"""Write what in docs/ is made from the code."""

from . import made_pages

for path, text in made_pages().items():
    path.write_text(text, encoding="utf-8")
