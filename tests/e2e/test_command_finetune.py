"""From playlists to an encoder that was trained on them, by the installed command."""

import json
from pathlib import Path

from tests.e2e.command import Command, cells, complaint, json_lines, usage_error
from tests.worlds import entry, playlist

NAMES = (("sad sleep", "old jazz", "sleep"), ("rock gym", "party pop", "gym mix"))
SONGS = ("sleep old love", "rock the gym")
PLAYLISTS = [
    playlist(
        number,
        NAMES[number % 2][number % 3],
        [entry("Ann", f"{SONGS[number % 2]} {place}") for place in range(number % 4, number % 4 + 3)],
    )
    for number in range(60)
]


def test_an_encoder_is_trained_without_a_database_and_imported(recsys: Command, tmp_path: Path) -> None:
    recsys("ingest", "playlists", "-", stdin="\n".join(map(json.dumps, PLAYLISTS)))
    recsys("titles", "split", "clean")
    done = recsys("titles", "snapshot", tmp_path / "snapshot", "--split", "clean")
    assert ["playlists", "60"] in cells(done)
    assert ["train", "48"] in cells(done)
    assert done.stderr == (
        "there are no cluster labels, which cross-entropy, triplet and contrastive learn from:"
        " run `recsys titles cluster --split clean`, `recsys titles clean` for them\n"
    )

    without_database = recsys.given(DATABASE_URL="postgresql://nobody@127.0.0.1:9/none")
    out = tmp_path / "like"
    [trained] = json_lines(
        without_database(
            *("titles", "finetune", "--snapshot", tmp_path / "snapshot", "--output", out, "--device", "cpu"),
            *("--encoder", recsys.settings["RECSYS_ENCODER"], "--epochs", "1", "--json"),
            *("--loss", "co-occurrence"),
        )
    )
    assert (trained["loss"], trained["epochs"], trained["best_epoch"]) == ("co-occurrence", 1, 1)
    assert trained["scores"].keys() == {"r_precision"}

    done = recsys("model", "import", out)
    assert done.returncode == 0, done.stderr
    assert done.stderr.endswith("next: recsys titles embed --encoder like\n")
    assert cells(done)[0] == ["model", "like (model 1), 32 dimensions"]
    models = json_lines(recsys("model", "list", "--json"))
    assert [(model["kind"], Path(model["name"]).name) for model in models] == [("title-encoder", "like")]
    assert models[0]["metrics"] == trained["scores"]
    assert models[0]["snapshot_hash"] == trained["snapshot_hash"]
    assert "r precision 0." in recsys("model", "list").stdout

    first, second = (recsys("titles", "embed", *of) for of in ((), ("--encoder", "like")))
    assert (first.returncode, second.returncode) == (0, 0)
    by_like = recsys("recommend", "jazz for a sleep", "--json").stdout
    assert recsys("model", "use", recsys.settings["RECSYS_ENCODER"]).returncode == 0
    by_first = recsys("recommend", "jazz for a sleep", "--json").stdout
    assert by_first != by_like
    done = recsys("model", "use", "like")
    assert done.stderr.endswith("is the title-recommender that answers from now on\n")
    assert recsys("recommend", "jazz for a sleep", "--json").stdout == by_like

    other = tmp_path / "other"
    other.mkdir()
    assert "holds no trained model" in complaint(recsys("model", "import", other))
    record = json.loads((out / "training.json").read_text(encoding="utf-8"))
    (out / "training.json").write_text(json.dumps(record | {"seconds": 0}), encoding="utf-8")
    assert "there is a model 'like' already" in complaint(recsys("model", "import", out))
    (out / "config.json").write_text("{}", encoding="utf-8")
    assert "config.json is missing or damaged" in complaint(recsys("model", "import", out))


def test_mistakes_are_one_line(recsys: Command, tmp_path: Path) -> None:
    assert "no playlists with a title" in complaint(recsys("titles", "snapshot", tmp_path / "snapshot"))
    assert "holds no snapshot" in complaint(recsys("titles", "finetune", "--snapshot", tmp_path / "none"))
    assert "leave out --snapshot" in usage_error(
        recsys("titles", "finetune", "--snapshot", tmp_path / "none", "--split", "clean")
    )
