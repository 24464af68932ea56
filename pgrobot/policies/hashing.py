"""Noise without a generator: standard normal numbers that are a function of other numbers' bits."""

from __future__ import annotations

import math

import torch
from torch import Tensor

_WORD = 0xFFFFFFFF


def hashed_normal(values: Tensor, count: int) -> Tensor:
    """Map rows ``[…, D]`` to numbers ``[…, count]`` that look drawn from a standard normal distribution.

    The same row always gives the same numbers; rows that differ in one bit, in single precision, give unrelated ones.
    """
    bits = values.float().view(torch.int32).long() & _WORD
    key = _mixed(bits ^ _salt(bits.shape[-1], 0)).sum(-1, keepdim=True) & _WORD
    words = _mixed(_mixed(key) ^ _salt(2 * count, bits.shape[-1]))
    radius, angle = ((words.to(values.dtype) + 1.0) / (_WORD + 1.0)).chunk(2, -1)  # in (0, 1]
    return (-2.0 * radius.log()).sqrt() * torch.cos(2.0 * math.pi * angle)  # Box and Muller


def _salt(count: int, first: int) -> Tensor:
    """A different word for every place ``[count]``."""
    return _mixed(torch.arange(first + 1, first + count + 1))


def _mixed(word: Tensor) -> Tensor:
    """Scramble 32-bit words held in 64 bits, where the products do not overflow.

    The constants are of Wellons' search for multiply-and-shift hashes with low bias (hash-prospector).
    """
    word = ((word ^ (word >> 16)) * 0x21F0AAAD) & _WORD
    word = ((word ^ (word >> 15)) * 0x735A2D97) & _WORD
    return word ^ (word >> 15)
