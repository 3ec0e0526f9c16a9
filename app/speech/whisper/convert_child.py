"""Writes a Whisper checkpoint in CTranslate2's form: `python -m app.speech.whisper.convert_child`. A request comes on
stdin, one event leaves on stdout: {"event": "done"} or {"event": "failed", "code", "detail"}.

The weights are the checkpoint's own; nothing is fetched. The folder holds what faster-whisper reads: model.bin,
config.json, vocabulary.json, tokenizer.json, preprocessor_config.json.
"""

from __future__ import annotations

import base64
import gzip
import itertools
import json
import sys
from pathlib import Path
from typing import Any, Final

import msgspec

from app.speech.whisper.child_process import WhisperFailure, answering, emit, leave_numba_out

# The published models by their sizes (text layers, text heads, mel bands), for the heads whose attention follows the
# time. A fine-tuned model has the sizes, and mostly the heads, of the one that it began as.
_KNOWN: Final = {
    (4, 6, 80): "tiny",
    (6, 8, 80): "base",
    (12, 12, 80): "small",
    (24, 16, 80): "medium",
    (32, 20, 80): "large-v2",
    (32, 20, 128): "large-v3",
    (4, 20, 128): "turbo",
}
_ENGLISH: Final = ("tiny", "base", "small", "medium")
_MULTILINGUAL_FROM: Final = 51_865  # words of the multilingual vocabulary; the English one has one less


class ConvertRequest(msgspec.Struct, frozen=True):
    """`checkpoint` is a path of openai-whisper's form; `folder` exists and is empty; `quantization` is CTranslate2's
    word; `name` is the published model that it is, "" when that is not known."""

    checkpoint: str
    folder: str
    quantization: str
    name: str


def main() -> None:
    request = msgspec.json.decode(sys.stdin.buffer.readline(), type=ConvertRequest)
    with answering():
        convert(request)
        emit(event="done")


def convert(request: ConvertRequest) -> None:
    """Blocks: seconds for a small model, minutes for a large one."""
    leave_numba_out()
    import torch
    from ctranslate2.specs import whisper_spec

    try:
        checkpoint = torch.load(request.checkpoint, map_location="cpu", weights_only=True, mmap=True)
        sizes, weights = checkpoint["dims"], checkpoint["model_state_dict"]
        spec = whisper_spec.WhisperSpec(
            sizes["n_audio_layer"], sizes["n_audio_head"], sizes["n_text_layer"], sizes["n_text_head"]
        )
        _fill(spec, sizes, weights)
    except MemoryError:
        raise
    except Exception as error:  # pickle, zipfile, KeyError, TypeError: whatever a wrong file makes torch.load raise
        raise WhisperFailure("model_damaged", Path(request.checkpoint).name) from error
    multilingual = sizes["n_vocab"] >= _MULTILINGUAL_FROM
    languages = sizes["n_vocab"] - 51_765 - int(multilingual)
    folder = Path(request.folder)
    vocabulary = _tokenizer(folder / "tokenizer.json", multilingual, languages)
    spec.register_vocabulary(vocabulary)
    _configure(spec.config, sizes, multilingual, languages, request.name)
    spec.validate()
    spec.optimize(quantization=request.quantization)
    spec.save(str(folder))
    sound = {
        "feature_size": sizes["n_mels"],
        "sampling_rate": 16_000,
        "hop_length": 160,
        "chunk_length": 30,
        "n_fft": 400,
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(sound))


def _fill(spec: Any, sizes: dict[str, int], weights: dict[str, Any]) -> None:
    from ctranslate2.converters import utils
    from ctranslate2.specs import common_spec

    def linear(into: Any, name: str) -> None:
        into.weight = weights[f"{name}.weight"]
        if f"{name}.bias" in weights:
            into.bias = weights[f"{name}.bias"]

    def norm(into: Any, name: str) -> None:
        into.gamma, into.beta = weights[f"{name}.weight"], weights[f"{name}.bias"]

    def attention(into: Any, name: str, *, own: bool) -> None:
        query, key, value = (common_spec.LinearSpec() for _ in range(3))
        linear(query, f"{name}.query")
        linear(key, f"{name}.key")
        linear(value, f"{name}.value")
        for fused, parts in zip(into.linear, [[query, key, value]] if own else [[query], [key, value]], strict=False):
            utils.fuse_linear(fused, parts)
        linear(into.linear[-1], f"{name}.out")

    def block(into: Any, name: str, *, cross: bool) -> None:
        attention(into.self_attention, f"{name}.attn", own=True)
        norm(into.self_attention.layer_norm, f"{name}.attn_ln")
        if cross:
            attention(into.attention, f"{name}.cross_attn", own=False)
            norm(into.attention.layer_norm, f"{name}.cross_attn_ln")
        linear(into.ffn.linear_0, f"{name}.mlp.0")
        linear(into.ffn.linear_1, f"{name}.mlp.2")
        norm(into.ffn.layer_norm, f"{name}.mlp_ln")

    linear(spec.encoder.conv1, "encoder.conv1")
    linear(spec.encoder.conv2, "encoder.conv2")
    spec.encoder.position_encodings.encodings = weights["encoder.positional_embedding"]
    norm(spec.encoder.layer_norm, "encoder.ln_post")
    for number, layer in enumerate(spec.encoder.layer):
        block(layer, f"encoder.blocks.{number}", cross=False)
    spec.decoder.embeddings.weight = weights["decoder.token_embedding.weight"]
    spec.decoder.scale_embeddings = False
    spec.decoder.position_encodings.encodings = weights["decoder.positional_embedding"]
    norm(spec.decoder.layer_norm, "decoder.ln")
    spec.decoder.projection.weight = weights["decoder.token_embedding.weight"]
    for number, layer in enumerate(spec.decoder.layer):
        block(layer, f"decoder.blocks.{number}", cross=True)


def _configure(config: Any, sizes: dict[str, int], multilingual: bool, languages: int, name: str) -> None:
    from whisper.tokenizer import LANGUAGES, get_tokenizer  # type: ignore[import-untyped]

    words = get_tokenizer(
        multilingual,
        num_languages=languages,
        language="en" if multilingual else None,
        task="transcribe" if multilingual else None,
    )
    special = words.special_tokens
    silent = ("transcribe", "translate", "startoftranscript", "startofprev", "startoflm", "nospeech")
    config.suppress_ids = sorted({*words.non_speech_tokens, *(special[f"<|{one}|>"] for one in silent)})
    config.suppress_ids_begin = [words.encode(" ")[0], words.eot]
    config.lang_ids = [special[f"<|{one}|>"] for one in list(LANGUAGES)[:languages]]
    config.alignment_heads = _alignment_heads(sizes, multilingual, name)


def _alignment_heads(sizes: dict[str, int], multilingual: bool, name: str) -> list[tuple[int, int]]:
    """The (layer, head) pairs that word times are read from: the published ones, else all of the upper half."""
    import numpy as np
    import whisper  # type: ignore[import-untyped]

    layers, heads = sizes["n_text_layer"], sizes["n_text_head"]
    known = name or _KNOWN.get((layers, heads, sizes["n_mels"]), "")
    if not multilingual and known in _ENGLISH:
        known += ".en"
    published = whisper._ALIGNMENT_HEADS.get(known)
    if published is None:
        return list(itertools.product(range(layers // 2, layers), range(heads)))
    table = np.frombuffer(gzip.decompress(base64.b85decode(published)), dtype=bool).reshape(layers, heads)
    return [(int(layer), int(head)) for layer, head in np.argwhere(table)]


def _tokenizer(path: Path, multilingual: bool, languages: int) -> list[str]:
    """Write openai-whisper's vocabulary as a tokenizer file; returns every token by its number."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from whisper.tokenizer import get_encoding

    encoding = get_encoding("multilingual" if multilingual else "gpt2", languages)
    letters = _byte_letters()
    ranks: dict[bytes, int] = encoding._mergeable_ranks

    def shown(token: bytes) -> str:
        return "".join(letters[byte] for byte in token)

    merges = []
    for token, rank in sorted(ranks.items(), key=lambda item: item[1]):
        if len(token) > 1 and len(parts := _merged(ranks, token, rank)) == 2:
            merges.append((shown(parts[0]), shown(parts[1])))
    vocabulary = {shown(token): rank for token, rank in ranks.items()}
    made = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    made.decoder = decoders.ByteLevel()
    special = sorted(encoding._special_tokens.items(), key=lambda item: item[1])
    times = {token for token, _ in special if token.strip("<|>").replace(".", "").isdigit()}
    made.add_special_tokens([AddedToken(t, special=True, normalized=False) for t, _ in special if t not in times])
    made.add_tokens([AddedToken(t, special=False, normalized=False) for t, _ in special if t in times])
    wrong = [token for token, number in special if made.token_to_id(token) != number]
    if wrong:
        raise RuntimeError(f"the tokenizer has another number for {wrong[0]}")
    made.save(str(path))
    tokens = [""] * encoding.n_vocab
    for token_text, number in (*vocabulary.items(), *special):
        tokens[number] = token_text
    return tokens


def _byte_letters() -> dict[int, str]:
    """GPT-2's visible letter for each byte."""
    visible = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [byte for byte in range(256) if byte not in set(visible)]
    return {byte: chr(byte) for byte in visible} | {byte: chr(256 + n) for n, byte in enumerate(hidden)}


def _merged(ranks: dict[bytes, int], token: bytes, limit: int) -> list[bytes]:
    """The token's parts just before its own merge."""
    parts = [bytes([byte]) for byte in token]
    while True:
        found = [(ranks[a + b], at) for at, (a, b) in enumerate(itertools.pairwise(parts)) if a + b in ranks]
        if not found or min(found)[0] >= limit:
            return parts
        at = min(found)[1]
        parts[at : at + 2] = [parts[at] + parts[at + 1]]


if __name__ == "__main__":
    main()
