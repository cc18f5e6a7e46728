"""What reads the songs so far: an LSTM or a GRU with the same dropout at each step, or a causal transformer."""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout, gelu, scaled_dot_product_attention

from recsys.sequences.sequence_options import SequenceOptions
from recsys.sequences.sublists import STEPS


class RecurrentEncoder(nn.Module):
    """A layer, whose inputs and states lose the same entries at each step of a sequence (Gal, Ghahramani 2016)."""

    def __init__(self, width: int, options: SequenceOptions) -> None:
        super().__init__()
        self.width, self.is_lstm = options.width, options.encoder == "lstm"
        self.dropout, self.recurrent_dropout = options.dropout, options.recurrent_dropout
        gates = 4 if self.is_lstm else 3
        self.of_input = nn.Parameter(nn.init.xavier_uniform_(torch.empty(gates * self.width, width)))
        self.of_state = nn.Parameter(nn.init.orthogonal_(torch.empty(gates * self.width, self.width)))
        bias = torch.zeros(gates * self.width)
        if self.is_lstm:
            # Nothing is forgotten at first.
            bias[self.width : 2 * self.width] = 1
        self.input_bias = nn.Parameter(bias)
        self.state_bias = nn.Parameter(torch.zeros(gates * self.width))

    def forward(self, told: Tensor) -> Tensor:
        """States (sequences, steps, width) of what is told (sequences, steps, in)."""
        count, steps, width = told.shape
        told = told * dropout(told.new_ones(count, 1, width), self.dropout, self.training)
        kept = dropout(told.new_ones(count, self.width), self.recurrent_dropout, self.training)
        state = told.new_zeros(count, self.width), told.new_zeros(count, self.width)
        states = []
        for step in range(steps):
            state = self.step(told[:, step], (state[0] * kept, state[1]))
            states.append(state[0])
        return torch.stack(states, dim=1)

    def step(self, told: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """The state after what is told (sequences, in), each part (sequences, width)."""
        weights = (self.of_input, self.of_state, self.input_bias, self.state_bias)
        if self.is_lstm:
            hidden, cell = torch.lstm_cell(told, state, *weights)
            return hidden, cell
        return torch.gru_cell(told, state[0], *weights), state[1]


class TransformerEncoder(nn.Module):
    """Blocks of causal attention and of a network, normalised before (SASRec: Kang, McAuley 2018)."""

    def __init__(self, width: int, options: SequenceOptions) -> None:
        super().__init__()
        self.rate = options.dropout
        self.map = nn.Identity() if width == options.width else nn.Linear(width, options.width)
        self.position = nn.Parameter(torch.randn(STEPS, options.width) * 0.02)
        self.blocks = nn.ModuleList(_Block(options) for _ in range(options.layers))
        self.norm = nn.LayerNorm(options.width)

    def forward(self, told: Tensor) -> Tensor:
        """States (sequences, steps, width) of what is told (sequences, steps, in)."""
        states = dropout(self.map(told) + self.position[: told.shape[1]], self.rate, self.training)
        for block in self.blocks:
            states = block(states)
        normed: Tensor = self.norm(states)
        return normed


class _Block(nn.Module):
    def __init__(self, options: SequenceOptions) -> None:
        super().__init__()
        width = options.width
        self.heads, self.rate = options.heads, options.dropout
        self.attention_norm, self.network_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attend, self.join = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.widen, self.narrow = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, states: Tensor) -> Tensor:
        count, steps, width = states.shape
        split = self.attend(self.attention_norm(states)).view(count, steps, 3, self.heads, width // self.heads)
        query, key, value = split.permute(2, 0, 3, 1, 4)  # (count, heads, steps, width / heads)
        rate = self.rate if self.training else 0.0
        seen = scaled_dot_product_attention(query, key, value, dropout_p=rate, is_causal=True)
        joined = self.join(seen.transpose(1, 2).reshape(count, steps, width))
        states = states + dropout(joined, self.rate, self.training)
        told = self.narrow(gelu(self.widen(self.network_norm(states))))
        return states + dropout(told, self.rate, self.training)


class EncoderState(NamedTuple):
    """Of n sequences, on the way."""

    hidden: Tensor
    """As `read` has it, (n, width)."""
    inner: tuple[Tensor, Tensor] | None
    """Of an LSTM or a GRU, each (n, width)."""
    songs: Tensor
    """What a transformer reads again, (n, songs so far)."""

    def at(self, sequences: Tensor) -> "EncoderState":
        """Some of them, a sequence as often as it is named."""
        inner = None if self.inner is None else (self.inner[0][sequences], self.inner[1][sequences])
        return EncoderState(self.hidden[sequences], inner, self.songs[sequences])


def encoder_of(width: int, options: SequenceOptions) -> RecurrentEncoder | TransformerEncoder:
    """The encoder that the options name, for inputs of a width."""
    return TransformerEncoder(width, options) if options.encoder == "transformer" else RecurrentEncoder(width, options)
