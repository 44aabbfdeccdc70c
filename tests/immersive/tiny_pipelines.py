"""Video pipelines of diffusers with random weights and a few hundred KB, saved as users' folders are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers, processors

_WORDS = "a the camera glides slowly forward cabin lake forest static scene nothing moves people motion blur"


def save(kind: str, folder: Path) -> Path:
    """Write the pipeline called `kind` to `folder`."""
    torch.manual_seed(0)
    _BUILDERS[kind]().save_pretrained(folder)
    return folder


def _tokenizer() -> Any:
    words = {"<pad>": 0, "</s>": 1, "<unk>": 2}
    for word in _WORDS.split():
        words.setdefault(word, len(words))
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        eos_token="</s>",
        unk_token="<unk>",
        model_max_length=512,
    )


def _t5() -> Any:
    config = transformers.T5Config(
        vocab_size=64, d_model=32, d_kv=8, d_ff=37, num_layers=2, num_heads=4, feed_forward_proj="gated-gelu"
    )
    return transformers.T5EncoderModel(config)


def _wan_parts(in_channels: int) -> dict[str, Any]:
    vae = diffusers.AutoencoderKLWan(
        base_dim=3,
        z_dim=16,
        dim_mult=[1, 1, 1, 1],
        num_res_blocks=1,
        temperal_downsample=[False, True, True],
    )
    return {"tokenizer": _tokenizer(), "text_encoder": _t5(), "vae": vae} | {
        "scheduler": diffusers.FlowMatchEulerDiscreteScheduler(shift=5.0),
        "transformer": diffusers.WanTransformer3DModel(in_channels=in_channels, **_WAN),
    }


_WAN: dict[str, Any] = {
    "patch_size": (1, 2, 2),
    "num_attention_heads": 2,
    "attention_head_dim": 12,
    "out_channels": 16,
    "text_dim": 32,
    "freq_dim": 256,
    "ffn_dim": 32,
    "num_layers": 2,
    "cross_attn_norm": True,
    "qk_norm": "rms_norm_across_heads",
    "rope_max_seq_len": 128,
}


def _wan() -> Any:
    return diffusers.WanPipeline(**_wan_parts(16))


def _wan_image() -> Any:
    return diffusers.WanImageToVideoPipeline(**_wan_parts(36))


def _wan_vace() -> Any:
    parts = _wan_parts(16)
    parts["transformer"] = diffusers.WanVACETransformer3DModel(
        in_channels=16, vace_layers=[0, 1], vace_in_channels=96, **_WAN
    )
    return diffusers.WanVACEPipeline(**parts)


def _ltx_parts() -> dict[str, Any]:
    transformer = diffusers.LTXVideoTransformer3DModel(
        in_channels=8,
        out_channels=8,
        patch_size=1,
        patch_size_t=1,
        num_attention_heads=4,
        attention_head_dim=8,
        cross_attention_dim=32,
        num_layers=1,
        caption_channels=32,
    )
    vae = diffusers.AutoencoderKLLTXVideo(
        in_channels=3,
        out_channels=3,
        latent_channels=8,
        block_out_channels=(8, 8, 8, 8),
        decoder_block_out_channels=(8, 8, 8, 8),
        layers_per_block=(1,) * 5,
        decoder_layers_per_block=(1,) * 5,
        spatio_temporal_scaling=(True, True, False, False),
        decoder_spatio_temporal_scaling=(True, True, False, False),
        decoder_inject_noise=(False,) * 5,
        upsample_residual=(False,) * 4,
        upsample_factor=(1,) * 4,
        timestep_conditioning=False,
        patch_size=1,
        patch_size_t=1,
        encoder_causal=True,
        decoder_causal=False,
    )
    parts = {"vae": vae, "text_encoder": _t5(), "tokenizer": _tokenizer(), "transformer": transformer}
    return parts | {"scheduler": diffusers.FlowMatchEulerDiscreteScheduler()}


def _ltx() -> Any:
    return diffusers.LTXPipeline(**_ltx_parts())


def _ltx_image() -> Any:
    return diffusers.LTXImageToVideoPipeline(**_ltx_parts())


def _cogvideox_parts(in_channels: int) -> dict[str, Any]:
    transformer = diffusers.CogVideoXTransformer3DModel(
        num_attention_heads=4,
        attention_head_dim=8,
        in_channels=in_channels,
        out_channels=4,
        time_embed_dim=2,
        text_embed_dim=32,
        num_layers=1,
        sample_width=8,
        sample_height=8,
        sample_frames=9,
        patch_size=2,
        temporal_compression_ratio=4,
        max_text_seq_length=226,
    )
    vae = diffusers.AutoencoderKLCogVideoX(
        in_channels=3,
        out_channels=3,
        down_block_types=("CogVideoXDownBlock3D",) * 4,
        up_block_types=("CogVideoXUpBlock3D",) * 4,
        block_out_channels=(8, 8, 8, 8),
        latent_channels=4,
        layers_per_block=1,
        norm_num_groups=2,
        temporal_compression_ratio=4,
    )
    parts = {"vae": vae, "text_encoder": _t5(), "tokenizer": _tokenizer(), "transformer": transformer}
    return parts | {"scheduler": diffusers.CogVideoXDDIMScheduler()}


def _cogvideox() -> Any:
    return diffusers.CogVideoXPipeline(**_cogvideox_parts(4))


def _cogvideox_image() -> Any:
    return diffusers.CogVideoXImageToVideoPipeline(**_cogvideox_parts(8))


def _hunyuan_parts() -> dict[str, Any]:
    text = transformers.models.qwen2_5_vl.Qwen2_5_VLTextConfig(
        vocab_size=64,
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=3,
        num_attention_heads=2,
        num_key_value_heads=2,
        rope_scaling={"rope_type": "default", "type": "default", "mrope_section": [1, 1, 2]},
    )
    tokenizer = _tokenizer()
    tokenizer.chat_template = "{% for message in messages %}{{ message['content'] }} {% endfor %}"
    transformer = diffusers.HunyuanVideo15Transformer3DModel(
        in_channels=9,
        out_channels=4,
        num_attention_heads=2,
        attention_head_dim=16,
        num_layers=2,
        num_refiner_layers=1,
        mlp_ratio=2.0,
        patch_size=1,
        patch_size_t=1,
        text_embed_dim=16,
        text_embed_2_dim=32,
        image_embed_dim=12,
        rope_axes_dim=(2, 6, 8),
        target_size=80,
    )
    vae = diffusers.AutoencoderKLHunyuanVideo15(
        latent_channels=4,
        block_out_channels=(8, 8, 8, 8, 8),
        layers_per_block=1,
    )
    return {
        "text_encoder": transformers.models.qwen2_5_vl.modeling_qwen2_5_vl.Qwen2_5_VLTextModel(text),
        "tokenizer": tokenizer,
        "transformer": transformer,
        "vae": vae,
        "scheduler": diffusers.FlowMatchEulerDiscreteScheduler(shift=5.0),
        "text_encoder_2": _t5(),
        "tokenizer_2": transformers.ByT5Tokenizer(),
        "guider": diffusers.ClassifierFreeGuidance(guidance_scale=2.0),
    }


def _hunyuan() -> Any:
    return diffusers.HunyuanVideo15Pipeline(**_hunyuan_parts())


def _hunyuan_image() -> Any:
    vision = transformers.SiglipVisionConfig(
        hidden_size=12,
        intermediate_size=12,
        num_hidden_layers=1,
        num_attention_heads=2,
        image_size=54,  # 27 x 27 patches, which the pipeline counts on
        patch_size=2,
    )
    return diffusers.HunyuanVideo15ImageToVideoPipeline(
        **_hunyuan_parts(),
        image_encoder=transformers.SiglipVisionModel(vision),
        feature_extractor=transformers.SiglipImageProcessor(size={"height": 54, "width": 54}),
    )


def _cosmos2() -> Any:
    parts = _wan_parts(16)
    parts["transformer"] = diffusers.CosmosTransformer3DModel(
        in_channels=17,
        out_channels=16,
        num_attention_heads=2,
        attention_head_dim=16,
        num_layers=2,
        mlp_ratio=2,
        text_embed_dim=32,
        adaln_lora_dim=4,
        max_size=(4, 32, 32),
        rope_scale=(2.0, 1.0, 1.0),
        extra_pos_embed_type=None,
        concat_padding_mask=False,  # published weights want it, and torchvision for it, which is not here
    )
    parts["scheduler"] = diffusers.FlowMatchEulerDiscreteScheduler(use_karras_sigmas=True)
    with without_guardrail():
        return diffusers.Cosmos2VideoToWorldPipeline(**parts)


class _Allowing:
    """Stands where `cosmos_guardrail` would, whose own weights are gigabytes."""

    def to(self, device: Any) -> None:
        """Stay."""

    def check_text_safety(self, text: str) -> bool:
        return True

    def check_video_safety(self, video: Any) -> Any:
        return video


@contextmanager
def without_guardrail() -> Iterator[None]:
    """Let Cosmos pipelines be made without the package that they want."""
    from diffusers.pipelines.cosmos import pipeline_cosmos2_video2world as module

    own, module.CosmosSafetyChecker = module.CosmosSafetyChecker, _Allowing
    try:
        yield
    finally:
        module.CosmosSafetyChecker = own


def _ltx2_vae(channels: int, blocks: int, patch: int, downsample: str) -> Any:
    vae = diffusers.AutoencoderKLLTX2Video(
        in_channels=3,
        out_channels=3,
        latent_channels=channels,
        block_out_channels=(8,) * blocks,
        decoder_block_out_channels=(8,) * blocks,
        layers_per_block=(1,) * (blocks + (blocks > 1)),
        decoder_layers_per_block=(1,) * (blocks + 1),
        spatio_temporal_scaling=(True,) * blocks,
        decoder_spatio_temporal_scaling=(True,) * blocks,
        decoder_inject_noise=(False,) * (blocks + 1),
        downsample_type=(downsample,) * blocks,
        upsample_residual=(False,) * blocks,
        upsample_factor=(1,) * blocks,
        timestep_conditioning=False,
        patch_size=patch,
        patch_size_t=1,
        encoder_causal=True,
        decoder_causal=False,
    )
    vae.use_framewise_encoding = vae.use_framewise_decoding = False
    return vae


def _ltx2_parts() -> dict[str, Any]:
    from diffusers.pipelines.ltx2 import LTX2TextConnectors
    from diffusers.pipelines.ltx2.vocoder import LTX2Vocoder

    text = transformers.Gemma3TextConfig(
        vocab_size=64,
        hidden_size=32,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=8,
    )
    vision = transformers.SiglipVisionConfig(
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        image_size=28,
        patch_size=14,
    )
    gemma = transformers.Gemma3Config(
        text_config=text.to_dict(),
        vision_config=vision.to_dict(),
        mm_tokens_per_image=4,
        image_token_index=60,
        boi_token_index=61,
        eoi_token_index=62,
    )
    transformer = diffusers.LTX2VideoTransformer3DModel(
        in_channels=4,
        out_channels=4,
        num_attention_heads=2,
        attention_head_dim=8,
        cross_attention_dim=16,
        audio_in_channels=4,
        audio_out_channels=4,
        audio_num_attention_heads=2,
        audio_attention_head_dim=4,
        audio_cross_attention_dim=8,
        num_layers=2,
        caption_channels=32,
        rope_double_precision=False,
        rope_type="split",
    )
    connectors = LTX2TextConnectors(
        caption_channels=32,
        text_proj_in_factor=3,
        video_connector_num_attention_heads=4,
        video_connector_attention_head_dim=8,
        video_connector_num_layers=1,
        video_connector_num_learnable_registers=None,
        audio_connector_num_attention_heads=4,
        audio_connector_attention_head_dim=8,
        audio_connector_num_layers=1,
        audio_connector_num_learnable_registers=None,
        connector_rope_base_seq_len=32,
        rope_theta=10000.0,
        rope_double_precision=False,
        causal_temporal_positioning=False,
        rope_type="split",
    )
    audio_vae = diffusers.AutoencoderKLLTX2Audio(
        base_channels=4,
        output_channels=2,
        ch_mult=(1,),
        num_res_blocks=1,
        in_channels=2,
        resolution=32,
        latent_channels=2,
        sample_rate=16000,
        mel_hop_length=160,
        mel_bins=8,
    )
    vocoder = LTX2Vocoder(
        in_channels=16,
        hidden_channels=32,
        out_channels=2,
        upsample_kernel_sizes=[4, 4],
        upsample_factors=[2, 2],
        resnet_kernel_sizes=[3],
        resnet_dilations=[[1, 3, 5]],
        leaky_relu_negative_slope=0.1,
        output_sampling_rate=16000,
    )
    return {
        "scheduler": diffusers.FlowMatchEulerDiscreteScheduler(),
        "vae": _ltx2_vae(4, 1, 1, "spatial"),
        "audio_vae": audio_vae,
        "text_encoder": transformers.Gemma3ForConditionalGeneration(gemma),
        "tokenizer": _tokenizer(),
        "connectors": connectors,
        "transformer": transformer,
        "vocoder": vocoder,
    }


def _ltx2() -> Any:
    return diffusers.LTX2Pipeline(**_ltx2_parts())


def _ltx2_image() -> Any:
    return diffusers.LTX2ImageToVideoPipeline(**_ltx2_parts())


def _sana_wm() -> Any:
    gemma = transformers.Gemma2Config(
        vocab_size=64,
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=8,
    )
    transformer = diffusers.SanaWMTransformer3DModel(
        in_channels=8,
        num_layers=2,
        hidden_size=64,
        num_attention_heads=2,
        linear_head_dim=32,
        softmax_every_n=2,
        chunk_plucker_channels=48,
        chunk_plucker_post_attn_blocks=2,
        caption_channels=16,
        mixed_precision="fp32",
        image_size=64,
    )
    return diffusers.SanaWMPipeline(
        tokenizer=_tokenizer(),
        text_encoder=transformers.Gemma2ForCausalLM(gemma),
        vae=_ltx2_vae(8, 3, 4, "spatiotemporal"),
        transformer=transformer,
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(),
    )


_BUILDERS = {
    "wan": _wan,
    "wan_image": _wan_image,
    "wan_vace": _wan_vace,
    "ltx": _ltx,
    "ltx2": _ltx2,
    "cogvideox": _cogvideox,
    "sana_wm": _sana_wm,
    "ltx_image": _ltx_image,
    "cogvideox_image": _cogvideox_image,
    "hunyuan": _hunyuan,
    "hunyuan_image": _hunyuan_image,
    "cosmos2": _cosmos2,
    "ltx2_image": _ltx2_image,
}
KINDS = tuple(_BUILDERS)
_PICTURED = {"wan_image", "sana_wm", "ltx_image", "ltx2_image", "cogvideox_image", "hunyuan_image", "cosmos2"}


def takes_picture(kind: str) -> bool:
    """Whether a pipeline begins with a picture."""
    return kind in _PICTURED
