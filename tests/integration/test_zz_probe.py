from recsys.titles.splits import make_split
from recsys.titles import embed_titles, recommender_as_of, recommend
from recsys.catalog import ingest
from recsys.config import Settings
from recsys.database import connect
from tests.worlds import *


def test_x(database, tmp_path, encoder_folder):
    s = Settings(DATABASE_URL=database, home=tmp_path, encoder=str(encoder_folder))
    ingest(
        s,
        "playlists",
        [write_lines(tmp_path / "p.jsonl", [playlist(i, f"t {i % 5}", [entry("A", f"s{i}")]) for i in range(30)])],
    )
    a = make_split(s, "clean")
    m = embed_titles(s, split="clean")
    b = make_split(s, "clean", seed=5, replace=True)
    with connect(s, autocommit=True) as c:
        print(a.split_id, b.split_id, m.model_id, c.execute("select id,kind,config,fingerprint from model").fetchall())
        print(recommender_as_of(c, "clean"))
        for t in ("", "\u200d", "\ufe0f", "!!!", "-", "?"):
            print(repr(t), c.execute("select * from spelt_titles(%s,%s,.5)", (t, m.model_id)).fetchall())
        try:
            print(recommend(c, "t 1"))
        except Exception as e:
            print(repr(e))
        r = recommend(c, "t 1", model=m.model_id, explain=True)
        print(len(r.tracks), r.is_known)
        print(len(c.execute("select * from title_voters(title_vector('t 1',2),model=>2,title_text=>'t 1')").fetchall()))
        print(c.execute("select count(*) from recommend_for_title('t 1')"))
