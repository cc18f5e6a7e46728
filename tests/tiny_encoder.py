"""A sentence-transformers model of a few kilobytes with random weights, made without a network."""

from pathlib import Path

PIECES = [
    *("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"),
    *"abcdefghijklmnopqrstuvwxyz0123456789",
    *(f"##{letter}" for letter in "abcdefghijklmnopqrstuvwxyz0123456789"),
    *("summer", "winter", "chill", "rock", "pop", "jazz", "gym", "party", "sleep", "road", "trip", "love"),
    *("sad", "happy", "old", "new", "songs", "music", "mix", "the", "for", "and", "🔥", "夏"),
]


def build_tiny_encoder(
    folder: Path, *, dimension: int = 32, pooling: str | tuple[str, ...] = "mean", max_length: int = 24, seed: int = 0
) -> Path:
    """A one-layer BERT with mean (or other) pooling and normalised output; the same seed, the same weights."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer
    from transformers import BertConfig, BertModel, BertTokenizerFast

    bert = folder.with_name(f"{folder.name}-bert")
    bert.mkdir(parents=True)
    vocabulary = bert / "vocab.txt"
    vocabulary.write_text("\n".join(PIECES) + "\n", encoding="utf-8")
    BertTokenizerFast(vocab=str(vocabulary), model_max_length=max_length).save_pretrained(bert)
    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=len(PIECES),
        hidden_size=dimension,
        num_hidden_layers=1,
        num_attention_heads=4,
        intermediate_size=2 * dimension,
        max_position_embeddings=64,
        initializer_range=0.5,
    )
    BertModel(config).save_pretrained(bert)
    transformer = Transformer(str(bert), max_seq_length=max_length)
    modules = [transformer, Pooling(dimension, pooling), Normalize()]
    SentenceTransformer(modules=modules, device="cpu").save(str(folder))
    return folder
