"""Cells whose steps are unlike one another, to be taken apart."""

from __future__ import annotations

from abc import ABC
from collections.abc import Callable
from typing import final

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from rnnx.core.cell import Cell
from rnnx.core.nets.zoneout import Zoneout
from rnnx.core.state import State

P, H = 3, 4


class Written(Cell, ABC):
    """A cell of one state tensor that reads its input as it is."""

    input_size, output_size, state_sizes = P, H, (H,)

    def __init__(self) -> None:
        super().__init__()
        self.input, self.recurrent = nn.Linear(P, H), nn.Linear(H, H)


@final
class Plain(Written):
    """Elman's network."""

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        h = torch.tanh(self.input(z) + self.recurrent(state[0]))
        return h, (h,)


@final
class Twice(Written):
    """Its state is one tensor twice, which is its output too."""

    state_sizes = (H, H)

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        h = torch.tanh(self.input(z) + self.recurrent(state[0]) * state[1])
        return h, (h, h)


@final
class Widths(Written):
    """Three tensors of three widths, and an output that is none of them."""

    output_size, state_sizes = 6, (2, 5, 1)

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.output = nn.Linear(P + 5, 2), nn.Linear(P + 2, 5), nn.Linear(8, 6)

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        a, b, c = state
        a = torch.tanh(self.first(torch.cat((z, b), -1)) + a)
        b = torch.sigmoid(self.second(torch.cat((z, a), -1))) * b
        c = c + (a * b[:, 3:]).sum(-1, keepdim=True)
        return self.output(torch.cat((a, b, c), -1)), (a, b, c)


@final
class Empty(Written):
    """One tensor of its state has no numbers, as of an option that is off, and is handed on joined."""

    state_sizes = (0, H)

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        nothing, h = state
        h = torch.tanh(self.input(z) + self.recurrent(torch.cat((nothing, h), -1)))
        return h, (nothing, h)


@final
class Silent(Written):
    """Its output has no numbers: only its last state is wanted."""

    output_size = 0

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        h = torch.tanh(self.input(z) + self.recurrent(state[0]))
        return h[:, :0], (h,)


@final
class Spiking(Written):
    """Says whether a memory is above a threshold, by which it falls then."""

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        h = self.input(z) + 0.9 * state[0]
        fires = h > 0.5
        return fires, (h - 0.5 * fires,)


@final
class Doubled(Written):
    """Cuts its own rows out of twice as many."""

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        h = torch.tanh(self.input(z) + self.recurrent(state[0]))
        h = torch.cat((h, h))[len(z) :]
        return h, (h,)


@final
class Cut(Written):
    """Its output is cut off: no gradient comes from it."""

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        h = torch.tanh(self.input(z) + self.recurrent(state[0]))
        return h.detach(), (h,)


@final
class Blind(Written):
    """Never reads its state."""

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        h = torch.tanh(self.input(z))
        return h * h, (h,)


@final
class Forgetful(Written):
    """A tensor holds the input only, which the next step reads; the output is the state before."""

    state_sizes = (H, P)

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        h, before = state
        return h, (torch.tanh(self.input(z - before) + self.recurrent(h)), z)


@final
class Late(Written):
    """Its output reads a state that its next one does not, so that its gradient is the output's alone."""

    state_sizes = (H, H)

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        h, before = state
        return self.recurrent(before), (torch.tanh(self.input(z) * h), self.input(z))


@final
class Kept(Written):
    """One tensor of its state is handed on as it is."""

    state_sizes = (H, H)

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        h, key = state
        h = torch.tanh(self.input(z) + key * self.recurrent(h))
        return key, (h, key)


@final
class Stateless(Written):
    """Has no state, and an output of its parameters alone besides."""

    output_size, state_sizes = 2 * H, ()

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        return torch.cat((self.input(z), self.recurrent.bias.exp().expand(len(z), -1)), -1), ()


@final
class Dimensions(Written):
    """Parameters of 0, 1 and 3 dimensions, in sums by Einstein's convention."""

    def __init__(self) -> None:
        super().__init__()
        self.scale, self.peephole = nn.Parameter(torch.tensor(0.5)), nn.Parameter(torch.ones(H))
        self.tensor = nn.Parameter(torch.ones(H, H, P))

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        (h,) = state
        mixed = torch.einsum("nh,hop,np->no", h, self.tensor, z)
        h = torch.tanh(self.scale * mixed + self.peephole * h + self.input(z))
        return h, (h,)


@final
class Buffered(Written):
    """Numbers and places that are no parameters; one parameter is frozen, one is in no use."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("factor", torch.tensor([1.0, -2.0, 0.5, 0.25]))
        self.register_buffer("places", torch.tensor([2, 0, 3, 1]))
        self.unused = nn.Parameter(torch.ones(2))
        self.recurrent.weight.requires_grad_(False)

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        turned = state[0].index_select(1, self.get_buffer("places"))
        h = torch.tanh(self.input(z) + self.recurrent(turned * self.get_buffer("factor")))
        return h, (h,)


@final
class Deep(Written):
    """Layers in a list, the last one being the first again, and a matrix that is used both ways round."""

    def __init__(self) -> None:
        super().__init__()
        first = nn.Linear(H, H)
        self.layers = nn.ModuleList([first, nn.Sequential(nn.Linear(H, H), nn.SiLU()), first])

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        h = self.input(z) + state[0]
        for layer in self.layers:
            h = torch.tanh(layer(h)) + h / 2
        h = h @ self.recurrent.weight @ self.recurrent.weight.t()
        return torch.tanh(h), (torch.sin(h),)


@final
class Clocked(Written):
    """A clock in the state decides what is kept, on its way through functions without a gradient."""

    state_sizes, bookkeeping = (H, 1), (1,)

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        h, clock = state
        awake = (torch.remainder(torch.round(clock), 2) == 0) | (clock > 3)
        h = torch.where(awake, torch.tanh(self.input(z) + self.recurrent(h)), h)
        return h * (clock + 1), (h, clock + 1)


@final
class Heads(Written):
    """Matrices of a row, multiplied by one another, and by a weight for each head with the heads in front."""

    state_sizes = (2 * H,)

    def __init__(self) -> None:
        super().__init__()
        self.heads = nn.Parameter(torch.randn(2, H, H) / 2)

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        heads = state[0].unflatten(1, (2, H))  # (N, 2, H)
        outer = torch.bmm(self.input(z).unsqueeze(2), z.unsqueeze(1))  # (N, H, P)
        mixed = torch.bmm(heads, torch.tanh(outer)).sum(-1, keepdim=True)  # (N, 2, 1)
        h = torch.tanh(torch.bmm(heads.transpose(0, 1), self.heads).transpose(0, 1) + mixed).flatten(1)
        return h[:, H:], (h,)


@final
class Counting(Written):
    """Makes tensors of as many rows as there are."""

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        zeros, ones = z.new_zeros(len(z), 1), torch.ones(z.shape[0], H)
        h = torch.cat((zeros, state[0][:, 1:]), -1) + ones / 2
        h = torch.tanh(self.input(z) + self.recurrent(h) + torch.full((z.size(0), 1), 0.25))
        return h, (h.expand(len(h), H),)


@final
class Constant(Written):
    """Makes constants, and uses what depends on its parameters alone in more than one way."""

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        half, ramp = torch.tensor(0.5), torch.tensor([0.0, 1.0, 2.0, 3.0]) + torch.arange(H)
        positive = F.softplus(self.recurrent.weight)
        h = torch.tanh(self.input(z) + half * F.linear(state[0], positive / positive.sum(1, keepdim=True)))
        return h * ramp + positive[0], (h - positive.diagonal(),)


@final
class Soft(Written):
    """A softmax over a row's numbers, and what sorts and adds them up."""

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        (h,) = state
        h = torch.softmax(self.recurrent(h), -1) + self.input(z).cumsum(-1)
        best, places = h.topk(2, -1)
        y = torch.log_softmax(h, -1).gather(1, places) + best.amax(-1, keepdim=True)
        return torch.cat((y, y), -1), (h / h.norm(dim=-1, keepdim=True),)


@final
class Chosen(Written):
    """Its largest number alone."""

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        h = self.recurrent(state[0])
        h = torch.tanh(self.input(z) + F.one_hot(h.argmax(-1), H) * h)
        return h, (h,)


@final
class Signed(Written):
    """Signs, whose gradient torch makes as zeros without a memory."""

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        h = torch.tanh(self.input(z) + torch.sgn(self.recurrent(state[0])) * state[0])
        return h, (h,)


@final
class Missing(Written):
    """NaN where there is nothing, which something else takes the place of later."""

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        h = self.recurrent(state[0])
        h = torch.tanh(self.input(z) + torch.where(h > 0, h, torch.nan).nan_to_num(0.25))
        return h, (h,)


@final
class Normed(Written):
    """Normalised over a row's numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.gain = nn.LayerNorm(H), nn.LayerNorm(2 * H)

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        h = self.norm(self.recurrent(state[0]))
        a, b = self.gain(torch.cat((h, self.input(z)), -1)).chunk(2, -1)
        h = torch.tanh(a) * b
        return h, (h,)


@final
class Squashed(Written):
    """Its input alone makes two results of one operation, of which a product reads one, its gradient both."""

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        h = torch.tanh(self.input(F.logsigmoid(z)) * state[0])
        return h, (h,)


@final
class Column(Written):
    """A column of rows that are made of a row and of one number for all of its columns."""

    output_size, state_sizes = 1, (1, H)

    def __init__(self) -> None:
        super().__init__()
        self.input, self.one, self.all = nn.Linear(P, 1), nn.Linear(1, 1), nn.Linear(1, H)

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        number, row = state
        last = torch.where(row > 0, row, number)[:, -1:]
        return last + self.input(z), (torch.tanh(self.one(last)), torch.tanh(self.all(last)))


@final
class Pieces(Written):
    """Gates cut from one product in several ways, of which the output is one."""

    def __init__(self) -> None:
        super().__init__()
        self.input, self.recurrent = nn.Linear(P, 4 * H), nn.Linear(H, 4 * H)

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        a, b, c, d = (self.input(z) + self.recurrent(state[0])).chunk(4, -1)
        e, f = torch.stack((a * b, c), 1).unbind(1)
        g, h = torch.cat((e, torch.sigmoid(f)), -1).split([H, H], -1)
        return d, (torch.tanh(g) * h,)


@final
class Detached(Written):
    """Cuts gradients, and lets them through where the value is cut."""

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        (h,) = state
        a = self.input(z) + self.recurrent(h.detach()) + h.clamp(-0.5, 0.5)
        hard = a + (a.sign() - a).detach()
        return hard, (torch.relu(a) - 0.1 * a,)


@final
class Convolved(Written):
    """A convolution over a row's numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.kernel = nn.Conv1d(2, 3, 3, padding=1)

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        read = torch.stack((state[0], self.input(z)), 1)  # (N, 2, H)
        h = torch.tanh(self.kernel(read).prod(1))
        return h, (h,)


@final
class Overwriting(Written):
    """Writes over tensors that it made itself and that nobody reads any more."""

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        h = self.recurrent(state[0])
        h += self.input(z)
        h **= 2
        h.tanh_()
        return h, (h,)


@final
class Filling(Written):
    """Writes into columns of tensors that it made itself, through which no gradient goes."""

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        open_, kept = torch.zeros_like(state[0]), torch.ones(H, dtype=torch.bool)
        open_[:, 0] = 0.5
        open_[:, 1:][:, 1] += z.detach()[:, 0]
        kept[1] = False
        h = torch.where(kept, torch.tanh(self.input(z) + self.recurrent(state[0] * open_)), state[0])
        return h, (h,)


@final
class Theirs(Written):
    """torch's own cell."""

    state_sizes = (H, H)

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTMCell(P, H)

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        h, c = self.lstm(z, state)
        return h, (h, c)


@final
class Reparametrized(Written):
    """A matrix that is made of a direction and a length at each use."""

    def __init__(self) -> None:
        super().__init__()
        parametrizations.weight_norm(self.recurrent)

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        h = torch.tanh(self.input(z) + self.recurrent(state[0]))
        return h, (h,)


@final
class Stabilized(Written):
    """A mean weighted by exponentials, the largest of whose exponents is kept beside it."""

    output_size, state_sizes = 2, (2, 2, 2, 2)

    def __init__(self) -> None:
        super().__init__()
        self.input, self.heads = nn.Linear(P, 8), nn.Parameter(torch.randn(2, 1, 4))

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        h, total, weight, largest = state
        mixed = torch.einsum("nhd,hde->nhe", h.unflatten(1, (2, 1)), self.heads).transpose(1, 2).flatten(1)
        i, f, g, o = (self.input(z) + mixed).chunk(4, -1)
        f = F.logsigmoid(f) + largest
        largest = torch.maximum(f, i)
        i, f = torch.exp(i - largest), torch.exp(f - largest)
        total, weight = f * total + i * torch.tanh(g), f * weight + i
        h = torch.sigmoid(o) * total / weight
        return h, (h, total, weight, largest)


@final
class Selective(Written):
    """Numbers that decay at rates of their own, for a time that the input says, and are read out by it."""

    def __init__(self) -> None:
        super().__init__()
        self.input, self.rates = nn.Linear(P, 6), nn.Parameter(torch.randn(2, 2))

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        time, into, out = self.input(z).split([2, 2, 2], -1)
        time = F.softplus(time).unsqueeze(-1)
        kept = torch.exp(-time * torch.exp(self.rates)) * state[0].unflatten(1, (2, 2))
        new = kept + time * into.unsqueeze(1)
        return torch.einsum("nij,nj->ni", new, out).repeat(1, 2), (new.flatten(1),)


@final
class Remembering(Written):
    """A matrix that decays, is written to and is read out of by a product, and so kept as a matrix too."""

    def __init__(self) -> None:
        super().__init__()
        self.input = nn.Linear(P, 7)

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        key, value, query, decay = self.input(z).split([2, 2, 2, 1], -1)
        memory = torch.sigmoid(decay).unsqueeze(-1) * state[0].unflatten(1, (2, 2))
        memory = memory + value.unsqueeze(2) * key.unsqueeze(1)
        return torch.bmm(memory, query.unsqueeze(2)).squeeze(2).repeat(1, 2), (memory.flatten(1),)


ZOO = Written.__subclasses__()


@final
class Dropping(Written):
    """Draws where gradients pass, where none pass, and what is no multiple of the rows' own widths."""

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        (h,) = state
        a = F.dropout(self.input(z), 0.5, self.training) + torch.rand_like(h)
        keep = torch.rand(len(z), 1) < 0.5
        h = torch.where(keep, F.dropout(torch.tanh(a + self.recurrent(h)), 0.25, self.training), h)
        return F.dropout(h, 0.5, self.training), (h,)


@final
class Dropped(Written):
    """Passes its candidate on as a cell should, and drops of it."""

    def __init__(self) -> None:
        super().__init__()
        self.recurrent_dropout = 0.5

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        h = torch.sigmoid(self.input(z)) * state[0] + self.drop_candidate(
            torch.tanh(self.input(z) + self.recurrent(state[0]))
        )
        return h, (h,)


DRAWING: dict[str, Callable[[], Cell]] = {
    "dropout": Dropping,
    "zoneout": lambda: Zoneout(Plain(), (0.5,)),
    "recurrent dropout": Dropped,
}
