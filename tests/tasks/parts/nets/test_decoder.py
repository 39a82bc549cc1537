"""The decoder against its own single steps, row by row, and against the equations of Luong et al. 2015."""

from __future__ import annotations

from typing import Any, get_args

import pytest
import torch
from torch import Tensor, nn

from rnnx.core.net import Net
from rnnx.core.nets import products
from rnnx.core.state import State, select
from rnnx.tasks.parts.nets.attention import Mechanism, Memory
from rnnx.tasks.parts.nets.decoder import Decoder

V, E, N, U, S = 9, 4, 3, 5, 4
LENGTHS = torch.tensor([3, 5, 1])
SOURCES = torch.tensor([4, 2, 3])
MASK = torch.arange(S) < SOURCES.unsqueeze(1)
REAL = torch.arange(U) < LENGTHS.unsqueeze(1)
FROM = (3, 2)  # widths of the source's state
GRU = {"name": "gru", "hidden_size": 6}
MECHANISMS: tuple[Mechanism, ...] = get_args(Mechanism)

pytestmark = pytest.mark.usefixtures("doubles")
each_mechanism = pytest.mark.parametrize("mechanism", MECHANISMS)
each_feeding = pytest.mark.parametrize("feeding", [False, True], ids=["", "feeding"])


def built(
    cell: dict[str, Any],
    mechanism: Mechanism,
    feeding: bool,
    layers: int = 1,
    tied: bool = True,
    dropout: float = 0.0,
    skip: str = "none",
    forcing: float = 1.0,
) -> Decoder:
    """A decoder on a memory as wide as its net, as dot asks for."""
    net = Net.from_plain({"cell": cell, "layers": layers, "skip": skip})
    width = net.decoder(2 * E if feeding else E).output_size
    return Decoder(
        nn.Embedding(V, E),
        E,
        net,
        source_sizes=FROM,
        value_size=width,
        mechanism=mechanism,
        bridged=True,
        input_feeding=feeding,
        teacher_forcing=forcing,
        tied=tied,
        embedding_dropout=dropout,
        dropout=dropout,
    )


def given(decoder: Decoder) -> tuple[Tensor, Memory, State]:
    """Tokens, a memory, and the first state."""
    memory = decoder.memory(torch.randn(N, S, decoder.net.output_size), MASK)
    return torch.randint(V, (N, U)), memory, decoder.start(tuple(torch.randn(N, size) for size in FROM))


def alone(
    decoder: Decoder, tokens: Tensor, memory: Memory, state: State, n: int, length: int | None = None
) -> tuple[Tensor, Tensor | None]:
    """The log-probabilities and the attention of one row, unpadded, step by step."""
    size = int(SOURCES[n])
    memory = Memory(*(part[n : n + 1, :size] for part in memory))
    state = select(state, slice(n, n + 1))
    predictions, attentions = [], []
    for token in tokens[n, : int(LENGTHS[n]) if length is None else length]:
        prediction, attention, state = decoder.step(token.unsqueeze(0), memory, state)
        predictions.append(prediction)
        attentions.append(attention)
    seen = [attention for attention in attentions if attention is not None]
    return torch.cat(predictions), torch.cat(seen) if seen else None


@each_feeding
@each_mechanism
def test_texts_side_by_side_see_the_memory_of_their_row(mechanism: Mechanism, feeding: bool) -> None:
    """As if it were there once for each; also without a gradient, where the products are made otherwise."""
    decoder = built(GRU, mechanism, feeding, layers=2)
    nn.init.normal_(decoder.output.bias)
    _, memory, state = given(decoder)
    rows = torch.arange(N).repeat_interleave(3)
    tokens, state = torch.randint(V, (3 * N,)), select(state, rows)
    state = tuple(tensor + torch.randn_like(tensor) for tensor in state)
    expected = decoder.step(tokens, memory.select(rows), state)
    torch.testing.assert_close(decoder.step(tokens, memory, state), expected)
    with torch.no_grad():
        torch.testing.assert_close(decoder.step(tokens, memory, state), expected)


def test_in_mixed_precision_a_step_is_nearly_that_in_full_precision() -> None:
    decoder = built(GRU, "additive", True)
    _, memory, state = given(decoder)
    decoder.float()
    memory = Memory(memory.values.float(), memory.keys.float(), memory.mask)
    state = tuple(tensor.float() for tensor in state)
    with torch.no_grad():
        expected, *_ = decoder.step(torch.arange(N), memory, state)
        with torch.autocast("cpu", torch.bfloat16):
            found, *_ = decoder.step(torch.arange(N), memory, state)
    torch.testing.assert_close(found.float(), expected, rtol=0, atol=0.05)


@pytest.mark.parametrize("layers", [1, 2])
@each_feeding
@each_mechanism
def test_known_tokens_at_once_are_each_row_step_by_step(
    cell: dict[str, Any], mechanism: Mechanism, feeding: bool, layers: int
) -> None:
    decoder = built(cell, mechanism, feeding, layers)
    tokens, memory, state = given(decoder)
    vectors, weights = decoder(tokens, LENGTHS, memory, state)
    assert vectors.shape == (N, U, E)
    predicted = decoder.logits(vectors).log_softmax(-1)
    for n in range(N):
        expected, attention = alone(decoder, tokens, memory, state, n)
        length, size = int(LENGTHS[n]), int(SOURCES[n])
        torch.testing.assert_close(predicted[n, :length], expected)
        torch.testing.assert_close(expected.exp().sum(1), torch.ones(length))
        assert (attention is None) == (weights is None) == (mechanism == "none")
        if weights is not None:
            torch.testing.assert_close(weights[n, :length, :size], attention)
            assert (weights[n, :, size:] == 0).all()


@each_feeding
@pytest.mark.parametrize("skip", ["residual", "dense", "highway"])
def test_so_it_is_with_ways_round_the_layers(skip: str, feeding: bool) -> None:
    decoder = built(GRU, "general", feeding, layers=2, skip=skip)
    tokens, memory, state = given(decoder)
    predicted = decoder.logits(decoder(tokens, LENGTHS, memory, state)[0]).log_softmax(-1)
    for n in range(N):
        torch.testing.assert_close(predicted[n, : LENGTHS[n]], alone(decoder, tokens, memory, state, n)[0])


@each_feeding
def test_the_equations(feeding: bool) -> None:
    """Luong et al. 2015, equations 5 and 6 and section 3.3, around torch's GRU; attention by plain dots."""
    decoder = built(GRU, "dot", feeding)
    gru = nn.GRUCell(2 * E if feeding else E, 6)
    (layer,) = decoder.net.layers
    gru.load_state_dict(layer.cell.state_dict())
    tokens, memory, state = given(decoder)
    vectors, _ = decoder(tokens, torch.full((N,), U), memory, state)
    combine, output = decoder.combine, decoder.output
    for n in range(N):
        values = memory.values[n, : SOURCES[n]]
        h, a = state[0][n], torch.zeros(E)
        for u in range(U):
            x = decoder.embedding.weight[tokens[n, u]]
            h = gru(torch.cat((x, a)) if feeding else x, h)
            context = (values @ h).softmax(0) @ values
            a = torch.tanh(combine.weight @ torch.cat((context, h)) + combine.bias)
            torch.testing.assert_close(vectors[n, u], a)
            torch.testing.assert_close(decoder.logits(vectors)[n, u], output.weight @ a + output.bias)


@each_feeding
@each_mechanism
def test_padding_and_neighbours_change_nothing(mechanism: Mechanism, feeding: bool) -> None:
    decoder = built(GRU, mechanism, feeding, layers=2)
    tokens, memory, state = given(decoder)
    expected, _ = decoder(tokens, LENGTHS, memory, state)

    others = tokens.where(REAL, (tokens + 1) % V)
    values = memory.values.masked_fill(~MASK.unsqueeze(2), 99.0)
    padded, _ = decoder(others, LENGTHS, decoder.memory(values, MASK), state)
    torch.testing.assert_close(padded[REAL], expected[REAL], rtol=0, atol=0)

    others = tokens.clone()
    others[1] = (tokens[1] + 1) % V
    values = memory.values.clone()
    values[1] += 1.0
    start = tuple(tensor + torch.tensor([[0.0], [1.0], [0.0]]) for tensor in state)
    beside, _ = decoder(others, LENGTHS, decoder.memory(values, MASK), start)
    for n in (0, 2):
        torch.testing.assert_close(beside[n, : LENGTHS[n]], expected[n, : LENGTHS[n]], rtol=0, atol=1e-14)
    assert not torch.allclose(beside[1], expected[1])


@each_mechanism
def test_a_vector_knows_the_tokens_before_it_and_no_later_one(mechanism: Mechanism) -> None:
    for feeding in (False, True):
        decoder = built(GRU, mechanism, feeding, layers=2)
        tokens, memory, state = given(decoder)
        lengths = torch.full((N,), U)
        expected, _ = decoder(tokens, lengths, memory, state)
        for place in range(U):
            others = tokens.clone()
            others[:, place] = (tokens[:, place] + 1) % V
            changed = (decoder(others, lengths, memory, state)[0] != expected).any(2).all(0)
            assert changed.tolist() == [u >= place for u in range(U)]


def test_tied_weights_are_one_object() -> None:
    tied, untied = built(GRU, "dot", False), built(GRU, "dot", False, tied=False)
    assert tied.output.weight is tied.embedding.weight
    assert untied.output.weight is not untied.embedding.weight
    sizes = [sum(weight.numel() for weight in decoder.parameters()) for decoder in (untied, tied)]
    assert sizes[0] - sizes[1] == V * E


@each_mechanism
def test_input_feeding_feeds(mechanism: Mechanism) -> None:
    decoder = built(GRU, mechanism, True)
    tokens, memory, state = given(decoder)
    assert [tuple(tensor.shape) for tensor in state] == [(N, 6), (N, E)]
    assert (state[-1] == 0).all()

    vectors, _ = decoder(tokens, torch.full((N,), U), memory, state)
    _, _, after = decoder.step(tokens[:, 0], memory, state)
    torch.testing.assert_close(after[-1], vectors[:, 0])  # what the next step is fed with

    fed = (*after[:-1], after[-1].detach().requires_grad_())
    prediction, _, _ = decoder.step(tokens[:, 1], memory, fed)
    prediction[0, 0].backward()
    assert fed[-1].grad is not None
    assert (fed[-1].grad[0] != 0).all()
    assert (fed[-1].grad[1:] == 0).all()


def test_without_input_feeding_the_state_is_the_nets() -> None:
    decoder = built(GRU, "general", False, layers=2)
    _, _, state = given(decoder)
    assert [tuple(tensor.shape) for tensor in state] == [(N, 6), (N, 6)]


@each_feeding
def test_attention_none_sees_the_source_through_the_state_only(feeding: bool) -> None:
    decoder = built(GRU, "none", feeding)
    tokens, memory, state = given(decoder)
    expected, weights = decoder(tokens, LENGTHS, memory, state)
    assert weights is None
    assert decoder.step(tokens[:, 0], memory, state)[1] is None
    other = decoder.memory(torch.randn_like(memory.values), MASK)
    torch.testing.assert_close(decoder(tokens, LENGTHS, other, state)[0], expected, rtol=0, atol=0)
    elsewhere = decoder.start(tuple(torch.randn(N, size) for size in FROM))
    assert not torch.isclose(decoder(tokens, LENGTHS, memory, elsewhere)[0], expected)[REAL].any(1).all()


@pytest.mark.parametrize("width", [E, 6])
def test_without_attention_and_bridge_it_is_a_plain_net_from_the_sources_state(width: int) -> None:
    """Sutskever et al. 2014, around torch's GRU; words are predicted from a layer, whatever the widths."""
    decoder = Decoder(
        nn.Embedding(V, E),
        E,
        Net.from_plain({"cell": {"name": "gru", "hidden_size": width}}),
        source_sizes=(width,),
        value_size=width,
        mechanism="none",
        bridged=False,
        input_feeding=False,
        teacher_forcing=1.0,
        tied=True,
        embedding_dropout=0.0,
        dropout=0.0,
    )
    (layer,) = decoder.net.layers
    gru = nn.GRU(E, width, batch_first=True)
    gru.load_state_dict({f"{name}_l0": weight for name, weight in layer.cell.state_dict().items()})
    source = torch.randn(N, width)
    memory = decoder.memory(torch.randn(N, S, width), MASK)
    tokens = torch.randint(V, (N, U))
    found, _ = decoder(tokens, torch.full((N,), U), memory, decoder.start((source,)))
    outputs, _ = gru(decoder.embedding(tokens), source.unsqueeze(0))
    torch.testing.assert_close(found, outputs @ decoder.combine.weight.T + decoder.combine.bias)


@each_feeding
@pytest.mark.parametrize("mechanism", ["additive", "dot", "general", "concat"])
def test_attention_sees_the_source_through_the_memory_too(mechanism: Mechanism, feeding: bool) -> None:
    decoder = built(GRU, mechanism, feeding)
    tokens, memory, state = given(decoder)
    other = decoder.memory(torch.randn_like(memory.values), MASK)
    expected, _ = decoder(tokens, LENGTHS, memory, state)
    assert not torch.isclose(decoder(tokens, LENGTHS, other, state)[0], expected)[REAL].all(1).any()


@each_feeding
def test_the_first_state_comes_over_the_bridge(cell: dict[str, Any], feeding: bool) -> None:
    """Bahdanau et al. 2015, A.2.2: tanh(W s), of the whole state for all memory; a clock begins anew."""
    decoder = built(cell, "general", feeding, layers=2)
    source = tuple(torch.randn(N, size) for size in FROM)
    linear = decoder.bridge.linear
    expected = torch.tanh(torch.cat(source, 1) @ linear.weight.T + linear.bias)
    start, accounts = decoder.start(source), decoder.net.bookkeeping
    made = [
        tensor for place, tensor in enumerate(start[: len(decoder.net.state_sizes)]) if place not in accounts
    ]
    torch.testing.assert_close(torch.cat(made, 1), expected)
    assert len(start) == len(decoder.net.state_sizes) + feeding
    assert (accounts == (1, 3)) == (cell["name"] in ("clockwork", "qrnn"))
    assert not any(start[place].any() for place in accounts)


@each_feeding
def test_dropout_is_on_what_is_predicted_from_and_only_in_training(feeding: bool) -> None:
    decoder = built(GRU, "dot", feeding, dropout=1.0)
    tokens, memory, state = given(decoder)
    assert (decoder(tokens, LENGTHS, memory, state)[0] == 0).all()
    prediction, _, _ = decoder.step(tokens[:, 0], memory, state)
    torch.testing.assert_close(prediction, decoder.output.bias.log_softmax(0).expand(N, V))
    decoder.eval()
    assert (decoder(tokens, LENGTHS, memory, state)[0][REAL] != 0).all()


def test_dropout_is_on_the_embeddings_too() -> None:
    decoder = built(GRU, "none", False, dropout=1.0)
    tokens, memory, state = given(decoder)
    nothing = decoder.net.step(torch.zeros(N, E), state)[1]
    torch.testing.assert_close(decoder.step(tokens[:, 0], memory, state)[2], nothing)
    decoder.eval()
    assert not torch.allclose(decoder.step(tokens[:, 0], memory, state)[2][0], nothing[0])


@pytest.mark.parametrize("onednn", [True, False])
def test_large_vocabularies_are_predicted_as_small_ones(
    onednn: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So many that oneDNN is faster on some processors, in 32 bits, and no multiple of 16."""
    monkeypatch.setattr(products, "PAYS", onednn)
    monkeypatch.setattr(products, "LARGE", 2**20)
    many, width, words = 128, 32, 1003
    decoder = Decoder(
        nn.Embedding(words, width, dtype=torch.float32),
        width,
        Net.from_plain({"cell": {**GRU, "hidden_size": width}}),
        source_sizes=FROM,
        value_size=width,
        mechanism="none",
        bridged=True,
        input_feeding=False,
        teacher_forcing=1.0,
        tied=True,
        embedding_dropout=0.0,
        dropout=0.0,
    ).float()
    tokens, state = torch.randint(words, (many,)), (torch.randn(many, width, dtype=torch.float32),)
    memory = Memory(*(torch.zeros(many, 1, width),) * 2, torch.ones(many, 1, dtype=torch.bool))
    with torch.no_grad():
        found, _, after = decoder.step(tokens, memory, state)
    layer = decoder.output.double()
    expected = layer(decoder.combine.double()(after[0].double())).log_softmax(-1)
    torch.testing.assert_close(found.double(), expected, rtol=0, atol=1e-5)


# What is drawn once a sentence (Gal & Ghahramani 2016; Merity et al. 2017), seen in what comes out

WIDE = 40


def wide(feeding: bool, **rates: float) -> Decoder:
    """A decoder that predicts from its net's bare output."""
    cell = {"name": "gru", "hidden_size": WIDE}
    net = Net.from_plain({"cell": cell, **rates})
    decoder = Decoder(
        nn.Embedding(N * U, WIDE),
        WIDE,
        net,
        source_sizes=FROM,
        value_size=WIDE,
        mechanism="none",
        bridged=True,
        input_feeding=feeding,
        teacher_forcing=1.0,
        tied=False,
        embedding_dropout=0.0,
        dropout=0.0,
    )
    with torch.no_grad():
        decoder.combine.weight.copy_(torch.eye(WIDE))
        decoder.combine.bias.zero_()
    return decoder


def sentences(decoder: Decoder) -> Tensor:
    """The vectors of sentences in which no token comes twice: ``n U + u`` is at place ``u`` of row ``n``."""
    _, memory, state = given(decoder)
    return decoder(torch.arange(N * U).view(N, U), torch.full((N,), U), memory, state)[0]


def one_a_row(kept: Tensor) -> None:
    """Whether masks ``(N, U, size)`` are the same at each place, each row's its own, and half full."""
    assert torch.equal(kept, kept[:, :1].expand_as(kept))
    assert 0.3 < kept.double().mean() < 0.7
    assert not any(torch.equal(kept[n], kept[n - 1]) for n in range(N))


@each_feeding
def test_what_the_net_gives_is_dropped_alike_in_the_whole_sentence(feeding: bool) -> None:
    decoder = wide(feeding, variational_output=0.5)
    first, second = sentences(decoder) != 0, sentences(decoder) != 0
    one_a_row(first)
    one_a_row(second)
    assert not torch.equal(first, second)
    assert (sentences(decoder.eval()) != 0).all()


@each_feeding
def test_it_is_so_in_sentences_of_different_length(feeding: bool) -> None:
    """Each row's own mask at all of its places, though shorter rows are left out on the way."""
    decoder = wide(feeding, variational_output=0.5)
    _, memory, state = given(decoder)
    kept = decoder(torch.arange(N * U).view(N, U), LENGTHS, memory, state)[0] != 0
    for n, length in enumerate(LENGTHS.tolist()):
        assert torch.equal(kept[n, :length], kept[n, :1].expand(length, -1))
        assert 0.2 < kept[n, 0].double().mean() < 0.8
    assert not torch.equal(kept[0, 0], kept[1, 0])


@each_feeding
def test_what_the_net_reads_is_dropped_alike_in_the_whole_sentence(feeding: bool) -> None:
    decoder = wide(feeding, variational_input=0.5)
    for _ in range(2):
        decoder.embedding.zero_grad()
        sentences(decoder).sum().backward()
        assert decoder.embedding.weight.grad is not None
        one_a_row(decoder.embedding.weight.grad.view(N, U, WIDE) != 0)


@each_feeding
def test_recurrent_weights_are_dropped_alike_in_the_whole_sentence(feeding: bool) -> None:
    """A weight drawn anew at each of five steps would be dropped at all of them once in 32 times."""
    decoder = wide(feeding, weight_drop=0.5)
    sentences(decoder).sum().backward()
    (weight,) = (weight for name, weight in decoder.net.named_parameters() if name.endswith("weight_hh"))
    assert weight.grad is not None
    assert 0.45 < (weight.grad == 0).double().mean() < 0.55


@each_feeding
def test_in_evaluation_a_regularised_decoder_is_its_steps(feeding: bool) -> None:
    rates = {"variational_input": 0.5, "variational_output": 0.5, "weight_drop": 0.5, "zoneout": 0.5}
    decoder = wide(feeding, **rates).eval()
    tokens, memory, state = given(decoder)
    predicted = decoder.logits(decoder(tokens, LENGTHS, memory, state)[0]).log_softmax(-1)
    for n in range(N):
        torch.testing.assert_close(predicted[n, : LENGTHS[n]], alone(decoder, tokens, memory, state, n)[0])


# What is read in training: the known tokens, or those that the decoder finds most probable


@each_feeding
@each_mechanism
def test_without_teacher_forcing_it_reads_what_it_finds_most_probable(
    cell: dict[str, Any], mechanism: Mechanism, feeding: bool
) -> None:
    """After the first token, which is known."""
    decoder = built(cell, mechanism, feeding, layers=2, forcing=0.0)
    nn.init.normal_(decoder.output.weight)
    tokens, memory, state = given(decoder)
    vectors, weights = decoder(tokens, LENGTHS, memory, state)
    differs = False
    for n in range(N):
        read = tokens[n, :1]
        for u in range(int(LENGTHS[n])):
            predicted, attention = alone(decoder, read.repeat(N, 1), memory, state, n, len(read))
            torch.testing.assert_close(decoder.logits(vectors[n, u]).log_softmax(-1), predicted[-1])
            if weights is not None:
                assert attention is not None
                torch.testing.assert_close(weights[n, u, : SOURCES[n]], attention[-1])
            differs = differs or not torch.equal(read, tokens[n, : u + 1])
            read = torch.cat((read, predicted[-1:].argmax(-1)))
    assert differs


@each_feeding
def test_in_evaluation_known_tokens_are_read(feeding: bool) -> None:
    forced, free = (built(GRU, "additive", feeding, forcing=forcing).eval() for forcing in (1.0, 0.0))
    free.load_state_dict(forced.state_dict())
    tokens, memory, state = given(forced)
    torch.testing.assert_close(free(tokens, LENGTHS, memory, state), forced(tokens, LENGTHS, memory, state))


@each_feeding
def test_a_share_of_the_tokens_is_known_each_by_a_coin_of_its_own(feeding: bool) -> None:
    """Known ones are each another, and its own always the last, so that gradients tell what was read."""
    rows, share = 80, 0.3
    decoder = Decoder(
        nn.Embedding(rows * U + 1, E),
        E,
        Net.from_plain({"cell": GRU}),
        source_sizes=FROM,
        value_size=E,
        mechanism="none",
        bridged=True,
        input_feeding=feeding,
        teacher_forcing=share,
        tied=False,
        embedding_dropout=0.0,
        dropout=0.0,
    )
    with torch.no_grad():
        decoder.output.bias[-1] = 100.0
    memory = Memory(*(torch.zeros(rows, S, E),) * 2, torch.ones(rows, S, dtype=torch.bool))
    state = decoder.start(tuple(torch.randn(rows, size) for size in FROM))
    known = torch.arange(rows * U).view(rows, U)
    decoder(known, torch.full((rows,), U), memory, state)[0].sum().backward()
    assert decoder.embedding.weight.grad is not None
    read = decoder.embedding.weight.grad.any(1)
    assert read[-1]
    places = read[:-1].view(rows, U)
    assert places[:, 0].all()
    assert abs(places[:, 1:].double().mean() - share) < 0.1  # of 320
    assert all(0 < column.sum() < rows for column in places[:, 1:].T)
    assert 0 < (places[:, 1] == places[:, 2]).sum() < rows
