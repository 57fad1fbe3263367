"""The two networks, written so that llama.cpp computes the same numbers."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from config import EPSILON, DecoderConfig, VisionConfig


class VisionBlock(nn.Module):
    """One pre-norm transformer block of the vision tower."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        width = config.width
        self.heads = config.heads
        self.ln1 = nn.LayerNorm(width, eps=EPSILON)
        self.ln2 = nn.LayerNorm(width, eps=EPSILON)
        self.attn_q = nn.Linear(width, width)
        self.attn_k = nn.Linear(width, width)
        self.attn_v = nn.Linear(width, width)
        self.attn_out = nn.Linear(width, width)
        self.ffn_up = nn.Linear(width, config.feed_forward)
        self.ffn_down = nn.Linear(config.feed_forward, width)

    def forward(self, x: Tensor) -> Tensor:
        """Mix the patches, then each patch on its own."""
        h = self.ln1(x)
        q, k, v = (
            split_heads(part(h), self.heads) for part in (self.attn_q, self.attn_k, self.attn_v)
        )
        x = x + self.attn_out(join_heads(F.scaled_dot_product_attention(q, k, v)))
        return x + self.ffn_down(F.gelu(self.ffn_up(self.ln2(x)), approximate="tanh"))


class VisionTower(nn.Module):
    """A CLIP-style vision transformer without a class token."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.config = config
        self.patch_embd = nn.Conv2d(3, config.width, config.patch_size, config.patch_size)
        self.position_embd = nn.Parameter(torch.randn(config.tokens, config.width) * 0.02)
        self.blocks = nn.ModuleList(VisionBlock(config) for _ in range(config.layers))
        self.post_ln = nn.LayerNorm(config.width, eps=EPSILON)

    def forward(self, pixels: Tensor) -> Tensor:
        """Turn normalised pixels into one feature vector a patch."""
        x = self.patch_embd(pixels).flatten(2).transpose(1, 2) + self.position_embd
        for block in self.blocks:
            x = block(x)
        features: Tensor = self.post_ln(x)
        return features


class Classifier(nn.Module):
    """The vision tower with the plain heads that stage 1 trains it through."""

    def __init__(self, config: VisionConfig, classes: int, extra: int = 0) -> None:
        super().__init__()
        self.tower = VisionTower(config)
        self.head = nn.Linear(config.width, classes)
        self.extra = nn.Linear(config.width, extra) if extra else None

    def forward(self, pixels: Tensor) -> Tensor:
        """Class scores from the mean over the patches."""
        scores: Tensor = self.head(self.tower(pixels).mean(dim=1))
        return scores


class Projector(nn.Module):
    """LLaVA's two-layer projector from image features to word embeddings."""

    def __init__(self, vision: VisionConfig, decoder: DecoderConfig) -> None:
        super().__init__()
        self.mm_0 = nn.Linear(vision.width, decoder.width)
        self.mm_2 = nn.Linear(decoder.width, decoder.width)

    def forward(self, features: Tensor) -> Tensor:
        """One word-sized embedding a patch."""
        embeddings: Tensor = self.mm_2(F.gelu(self.mm_0(features), approximate="tanh"))
        return embeddings


class RMSNorm(nn.Module):
    """LLaMA's normalisation."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        """Scale to unit root mean square."""
        return F.rms_norm(x, (x.shape[-1],), self.weight, EPSILON)


class DecoderBlock(nn.Module):
    """One LLaMA block: rotary attention and a gated feed-forward."""

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        width, inner = config.width, config.feed_forward
        self.heads = config.heads
        self.attn_norm = RMSNorm(width)
        self.ffn_norm = RMSNorm(width)
        self.attn_q = nn.Linear(width, width, bias=False)
        self.attn_k = nn.Linear(width, width, bias=False)
        self.attn_v = nn.Linear(width, width, bias=False)
        self.attn_output = nn.Linear(width, width, bias=False)
        self.ffn_gate = nn.Linear(width, inner, bias=False)
        self.ffn_up = nn.Linear(width, inner, bias=False)
        self.ffn_down = nn.Linear(inner, width, bias=False)

    def forward(self, x: Tensor, turn: tuple[Tensor, Tensor]) -> Tensor:
        """Look back over the sequence, then each position on its own."""
        h = self.attn_norm(x)
        q, k, v = (
            split_heads(part(h), self.heads) for part in (self.attn_q, self.attn_k, self.attn_v)
        )
        seen = F.scaled_dot_product_attention(rotate(q, turn), rotate(k, turn), v, is_causal=True)
        x = x + self.attn_output(join_heads(seen))
        h = self.ffn_norm(x)
        return x + self.ffn_down(F.silu(self.ffn_gate(h)) * self.ffn_up(h))


class Decoder(nn.Module):
    """A LLaMA-style decoder with tied embeddings."""

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.config = config
        self.token_embd = nn.Embedding(config.vocabulary, config.width)
        nn.init.normal_(self.token_embd.weight, std=0.05)
        self.blocks = nn.ModuleList(DecoderBlock(config) for _ in range(config.layers))
        self.output_norm = RMSNorm(config.width)

    def forward(self, embeddings: Tensor) -> Tensor:
        """Hidden states for a batch of embedded sequences that start at position 0."""
        turn = rotary(embeddings.shape[1], self.config)
        x = embeddings
        for block in self.blocks:
            x = block(x, turn)
        hidden: Tensor = self.output_norm(x)
        return hidden

    def scores(self, hidden: Tensor) -> Tensor:
        """Token scores from hidden states; the output layer is the embedding table."""
        return F.linear(hidden, self.token_embd.weight)


def split_heads(x: Tensor, heads: int) -> Tensor:
    """[batch, length, width] to [batch, heads, length, width/heads]."""
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


def join_heads(x: Tensor) -> Tensor:
    """The inverse of split_heads."""
    return x.transpose(1, 2).flatten(2)


def rotary(length: int, config: DecoderConfig) -> tuple[Tensor, Tensor]:
    """Cosines and sines of the rotary angles, one pair of channels each."""
    half = config.width // config.heads // 2
    frequency = config.rope_base ** (-torch.arange(half, dtype=torch.float32) / half)
    angle = torch.arange(length, dtype=torch.float32)[:, None] * frequency
    return angle.cos(), angle.sin()


def rotate(x: Tensor, turn: tuple[Tensor, Tensor]) -> Tensor:
    """Rotate interleaved pairs of channels, which is llama.cpp's order for LLaMA."""
    cos, sin = (part.to(x.dtype) for part in turn)
    even, odd = x[..., 0::2], x[..., 1::2]
    return torch.stack((even * cos - odd * sin, even * sin + odd * cos), dim=-1).flatten(-2)
