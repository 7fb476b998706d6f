"""Encoders of each family, tiny and random, saved as transformers saves them."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np

SMALL = {
    "hidden_size": 16,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 24,
}
CONVOLUTIONS = {
    "conv_dim": (8, 8, 8),
    "conv_stride": (5, 4, 4),
    "num_conv_pos_embeddings": 8,
    "num_conv_pos_embedding_groups": 2,
}
WORDS = ("the", "a", "cat", "dog", "sat", "on", "mat", "and", "ran", "far", "away", "good", "bad")

SPEECH = ("wav2vec2", "wav2vec2-layer", "hubert", "wavlm-layer", "whisper")
TEXT = ("bert", "roberta", "sentences")


def save_speech(
    kind: str, folder: Path, kernels: tuple[int, ...] = (10, 4, 4), **preprocessor: Any
) -> Path:
    """Saves an encoder of speech; those with "-layer" are normalized so that they take masks."""
    import torch
    import transformers

    torch.manual_seed(0)
    family = kind.removesuffix("-layer")
    layer = {"feat_extract_norm": "layer", "do_stable_layer_norm": True, "conv_bias": True}
    norm = layer if kind.endswith("-layer") else {}
    if family == "whisper":
        config = transformers.WhisperConfig(
            d_model=16,
            encoder_layers=3,
            decoder_layers=1,
            encoder_attention_heads=2,
            decoder_attention_heads=2,
            encoder_ffn_dim=24,
            decoder_ffn_dim=24,
            max_source_positions=50,
            num_mel_bins=80,
            vocab_size=60,
            pad_token_id=0,
            bos_token_id=1,
            eos_token_id=2,
            decoder_start_token_id=3,
        )
        model = transformers.WhisperModel(config)
        extractor = transformers.WhisperFeatureExtractor(**{"chunk_length": 1, **preprocessor})
    else:
        makers = {"wav2vec2": "Wav2Vec2", "hubert": "Hubert", "wavlm": "WavLM"}
        config = getattr(transformers, f"{makers[family]}Config")(
            **SMALL, **CONVOLUTIONS, **norm, conv_kernel=kernels
        )
        model = getattr(transformers, f"{makers[family]}Model")(config)
        given = {"return_attention_mask": bool(norm), **preprocessor}
        extractor = transformers.Wav2Vec2FeatureExtractor(**given)
    model.save_pretrained(folder)
    extractor.save_pretrained(folder)
    return folder


def save_text(kind: str, folder: Path) -> Path:
    """Saves an encoder of text, with a tokenizer that knows `WORDS` and takes up to 18 tokens.

    "sentences" is a folder of sentence-transformers, with the encoder in a folder of its own, which
    takes 12.
    """
    import torch
    import transformers
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    torch.manual_seed(0)
    place = folder / "0_Transformer" if kind == "sentences" else folder
    roberta = kind == "roberta"
    marks = ["[CLS]", "[PAD]", "[SEP]", "[UNK]", "[MASK]"]
    vocabulary = {word: number for number, word in enumerate([*marks, *WORDS])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 0), ("[SEP]", 2)]
    )
    names = {f"{name.lower()}_token": f"[{name}]" for name in ("CLS", "PAD", "SEP", "UNK", "MASK")}
    fast = transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names)
    config = (transformers.RobertaConfig if roberta else transformers.BertConfig)(
        **SMALL,
        vocab_size=len(vocabulary),
        max_position_embeddings=20 if roberta else 18,
        pad_token_id=1,
    )
    model = (transformers.RobertaModel if roberta else transformers.BertModel)(config)
    model.save_pretrained(place)
    fast.save_pretrained(place)
    if kind == "sentences":
        modules = [
            {"idx": 0, "name": "0", "path": place.name, "type": "sentence_transformers.Transformer"}
        ]
        (folder / "modules.json").write_text(json.dumps(modules))
        (place / "sentence_bert_config.json").write_text(
            json.dumps({"max_seq_length": 12, "do_lower_case": True})
        )
    return folder


def one_by_one(folder: Path, inputs: list, **options: Any) -> list[np.ndarray]:
    """Runs each recording or text alone, as transformers' own documents do.

    Returns:
      Of each all hidden layers, [layer, step, unit], of whisper with the steps of padding.
    """
    import torch
    import transformers

    model: Any = transformers.AutoModel.from_pretrained(folder).eval()
    if model.config.is_encoder_decoder:
        model = model.get_encoder()
    kind = transformers.AutoTokenizer if options.pop("text", False) else None
    reader: Any = (kind or transformers.AutoFeatureExtractor).from_pretrained(folder)
    if kind is None:
        options["sampling_rate"] = 16000
    found = []
    for each in inputs:
        given = reader(each, return_tensors="pt", **options)
        with torch.no_grad(), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Support for mismatched key_padding_mask")  # WavLM's
            states = model(**given, output_hidden_states=True).hidden_states
        found.append(torch.stack(states)[:, 0].numpy())
    return found
