"""An imported tracklist model, measured as it generates: by vectors and clusters in the database and its network."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import psycopg

from recsys.database import read_integers
from recsys.evaluation.graph_learned import check_snapshot
from recsys.evaluation.made_lists import (
    FAVOURITES,
    RANDOM,
    Asked,
    ListMaker,
    MadeOptions,
    MadeResult,
    compare_made,
    favourites,
    known_tracklists,
    main_artists,
    random_by_plays,
    song_facts,
)
from recsys.evaluation.next_song import Flags, at
from recsys.progress import Progress, silent
from recsys.sequences.candidates import Liking
from recsys.sequences.generate import Wanted
from recsys.sequences.lists import generate_lists, loaded_model
from recsys.tracklists.graph_snapshot import GraphSnapshot
from recsys.tracklists.running_order import RunningOrder
from recsys.tracklists.stored_arrays import Integers, Matrix, rows_of

if TYPE_CHECKING:
    from recsys.sequences.sequence_model import TrainedSequence

KNOWN_DJS = "SELECT dj_id FROM dj_embedding WHERE model_id = %(model)s"


@dataclass(frozen=True)
class Generator:
    """Makes lists as `recsys generate --seed SONG --dj NAME` does, with the published knobs."""

    connection: psycopg.Connection
    name: str
    trained: "TrainedSequence"
    has_vector: Flags
    """Whether each of its DJs has a vector; for others lists are for nobody, (djs,)."""
    seed: int = 0

    @property
    def is_known(self) -> Flags:
        """Whether lists can begin with each of its songs, which needs a vector, (songs,)."""
        has_vector: Flags = np.any(self.trained.model.song_vectors != 0, axis=1)
        return has_vector

    @property
    def assignments(self) -> list[Matrix]:
        """Of songs to the clusters of each level, from the songs upwards."""
        model = self.trained.model
        return [model.assignments(level) for level in range(len(model.sizes))]

    def __call__(self, asked: Asked, progress: Progress = silent) -> list[Integers]:
        """A list of each kind that is asked for, by rows of the model's songs."""
        songs, djs = self.trained.songs, self.trained.djs
        made = []
        for number, (first, dj, length) in enumerate(zip(asked.firsts, asked.djs, asked.lengths, strict=True)):
            progress(f"{self.name} generates", number, len(asked))
            seed = int(np.random.default_rng([self.seed, number]).integers(2**31))
            wanted = Wanted(length=min(int(length), len(songs)), seed=seed)
            liking = Liking([int(songs[first])], dj_id=int(djs[dj]) if at(self.has_vector, dj) else None)
            [tracks] = generate_lists(self.connection, liking, wanted, model=self.name).lists
            made.append(rows_of(np.array([track.song_id for track in tracks]), songs))
        return made


def stored_generator(connection: psycopg.Connection, name: str, snapshot_hash: str, seed: int = 0) -> Generator:
    """A tracklist model of that name.

    Raises:
        UnknownNameError: there is none.
        NotReadyError: its folder is gone or damaged.
        SettingsError: it was trained on another snapshot.
    """
    model_id, trained = loaded_model(connection, name)
    check_snapshot(trained.facts.snapshot_hash, name, snapshot_hash)
    [djs] = read_integers(connection, KNOWN_DJS, {"model": model_id}, columns=1)
    return Generator(connection, name, trained, np.isin(trained.djs, djs), seed)


def compare_generator(
    order: RunningOrder,
    snapshot: GraphSnapshot,
    generator: Generator,
    options: MadeOptions,
    progress: Progress = silent,
) -> list[MadeResult]:
    """How real lists, a model's and those of both baselines look.

    Raises:
        NotReadyError: no later tracklist has songs enough.
    """
    real = known_tracklists(order, snapshot, generator.is_known, options)
    makers: dict[str, ListMaker] = {
        generator.name: generator,
        FAVOURITES: favourites(snapshot),
        RANDOM: random_by_plays(snapshot, options.seed),
    }
    facts = song_facts(snapshot, generator.assignments)
    return compare_made(real, makers, facts, main_artists(order, snapshot), progress)
