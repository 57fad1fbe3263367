"""Write the trained networks as the two GGUF files that llama.cpp loads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gguf import GGMLQuantizationType, GGUFWriter, TokenType
from torch import Tensor, nn

from config import EPSILON, MEAN, STD
from tokenizer import SPECIALS, Tokenizer

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt

    from network import Decoder, Projector, VisionTower

TEXT_FILE = "micro-llava-text-f16.gguf"
MMPROJ_FILE = "micro-llava-mmproj-f16.gguf"
CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def half(tensor: Tensor) -> npt.NDArray[np.float16]:
    """Weights as f16."""
    weights: npt.NDArray[np.float16] = tensor.detach().half().numpy()
    return weights


def full(tensor: Tensor) -> npt.NDArray[np.float32]:
    """Biases, norms and positions stay f32: llama.cpp adds them to f32."""
    weights: npt.NDArray[np.float32] = tensor.detach().float().numpy()
    return weights


def describe(writer: GGUFWriter, version: str, licence: str) -> None:
    """The general part of both files."""
    writer.add_name("micro-llava")
    writer.add_version(version)
    writer.add_license(licence)
    writer.add_description(
        "A tiny LLaVA for digits, chess pieces and ten animals. See MODEL_CARD.md."
    )


def write_text(
    path: Path, decoder: Decoder, tokenizer: Tokenizer, version: str, licence: str
) -> None:
    """The decoder with its tokenizer and chat template."""
    config = decoder.config
    writer = GGUFWriter(path, "llama")
    describe(writer, version, licence)
    writer.add_context_length(config.context)
    writer.add_embedding_length(config.width)
    writer.add_block_count(config.layers)
    writer.add_feed_forward_length(config.feed_forward)
    writer.add_head_count(config.heads)
    writer.add_head_count_kv(config.heads)
    writer.add_layer_norm_rms_eps(EPSILON)
    writer.add_rope_freq_base(config.rope_base)
    writer.add_rope_dimension_count(config.width // config.heads)
    writer.add_vocab_size(config.vocabulary)
    writer.add_file_type(1)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(list(tokenizer.tokens))
    writer.add_token_merges([f"{a} {b}" for a, b in tokenizer.merges])
    writer.add_token_types([token_type(token) for token in tokenizer.tokens])
    writer.add_bos_token_id(tokenizer.id("<|endoftext|>"))
    writer.add_eos_token_id(tokenizer.id("<|im_end|>"))
    writer.add_pad_token_id(tokenizer.id("<|endoftext|>"))
    writer.add_add_bos_token(False)
    writer.add_add_eos_token(False)
    writer.add_chat_template(CHAT_TEMPLATE)
    writer.add_tensor("token_embd.weight", half(decoder.token_embd.weight))
    writer.add_tensor("output_norm.weight", full(decoder.output_norm.weight))
    for index, block in enumerate(decoder.blocks):
        for name, part in block.named_children():
            weight = part.weight
            assert isinstance(weight, Tensor)
            value = full(weight) if name.endswith("_norm") else half(weight)
            writer.add_tensor(f"blk.{index}.{name}.weight", value)
    finish(writer)


def write_mmproj(
    path: Path, tower: VisionTower, projector: Projector, version: str, licence: str
) -> None:
    """The vision tower and the projector."""
    config = tower.config
    writer = GGUFWriter(path, "clip")
    describe(writer, version, licence)
    writer.add_file_type(1)
    writer.add_bool("clip.has_vision_encoder", True)
    writer.add_string("clip.projector_type", "mlp")
    writer.add_bool("clip.use_gelu", True)
    writer.add_uint32("clip.vision.image_size", config.image_size)
    writer.add_uint32("clip.vision.patch_size", config.patch_size)
    writer.add_uint32("clip.vision.embedding_length", config.width)
    writer.add_uint32("clip.vision.feed_forward_length", config.feed_forward)
    writer.add_uint32("clip.vision.block_count", config.layers)
    writer.add_uint32("clip.vision.projection_dim", projector.mm_2.out_features)
    writer.add_uint32("clip.vision.attention.head_count", config.heads)
    writer.add_float32("clip.vision.attention.layer_norm_epsilon", EPSILON)
    writer.add_array("clip.vision.image_mean", list(MEAN))
    writer.add_array("clip.vision.image_std", list(STD))
    # Without this key llama.cpp silently leaves out the last layer.
    writer.add_array("clip.vision.feature_layer", [config.layers])
    writer.add_tensor("v.patch_embd.weight", half(tower.patch_embd.weight))
    add_bias(writer, "v.patch_embd", tower.patch_embd)
    writer.add_tensor("v.position_embd.weight", full(tower.position_embd))
    for index, block in enumerate(tower.blocks):
        for name, part in block.named_children():
            add_layer(writer, f"v.blk.{index}.{name}", part)
    add_layer(writer, "v.post_ln", tower.post_ln)
    add_layer(writer, "mm.0", projector.mm_0)
    add_layer(writer, "mm.2", projector.mm_2)
    finish(writer)


def add_layer(writer: GGUFWriter, name: str, layer: nn.Module) -> None:
    """The weight and the bias of a linear or a normalisation layer."""
    weight = layer.weight
    assert isinstance(weight, Tensor)
    writer.add_tensor(
        f"{name}.weight", full(weight) if isinstance(layer, nn.LayerNorm) else half(weight)
    )
    add_bias(writer, name, layer)


def add_bias(writer: GGUFWriter, name: str, layer: nn.Module) -> None:
    """The bias alone."""
    bias = layer.bias
    assert isinstance(bias, Tensor)
    writer.add_tensor(f"{name}.bias", full(bias), raw_dtype=GGMLQuantizationType.F32)


def token_type(token: str) -> TokenType:
    """Markers are control tokens: without that they are split like text."""
    return TokenType.CONTROL if token in SPECIALS else TokenType.NORMAL


def finish(writer: GGUFWriter) -> None:
    """Write header, keys and tensors, and close."""
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
