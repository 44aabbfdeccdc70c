"""Depth models of a few thousand random weights, saved the way published weights are."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import (
    DepthAnythingConfig,
    DepthAnythingForDepthEstimation,
    DepthProConfig,
    DepthProForDepthEstimation,
    Dinov2Config,
)


def depth_anything_weights(folder: Path, kind: str) -> Path:
    """Save a Depth Anything of 4 small layers; `kind` is relative or metric."""
    torch.manual_seed(7)
    backbone = Dinov2Config(
        image_size=28,
        patch_size=14,
        hidden_size=16,
        num_hidden_layers=4,
        num_attention_heads=2,
        out_indices=[1, 2, 3, 4],
        apply_layernorm=True,
        reshape_hidden_states=False,
    )
    config = DepthAnythingConfig(
        backbone_config=backbone,
        reassemble_hidden_size=16,
        neck_hidden_sizes=[4, 4, 8, 8],
        fusion_hidden_size=8,
        head_hidden_size=8,
        depth_estimation_type=kind,
        max_depth=20 if kind == "metric" else 1,
    )
    model = DepthAnythingForDepthEstimation(config)
    # A random network is nearly constant, and its last ReLU may be 0 everywhere.
    for parameter in model.parameters():
        parameter.data *= 3
    model.head.conv3.weight.data *= 2000
    model.head.conv3.bias.data.fill_(1.0)
    model.save_pretrained(folder)
    return folder


def depth_pro_weights(folder: Path, has_fov: bool) -> Path:
    """Save a Depth Pro of 2 small layers, with or without its guess at the lens."""
    torch.manual_seed(8)
    size = {
        "hidden_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "image_size": 8,
        "patch_size": 2,
        "model_type": "dinov2",
    }
    config = DepthProConfig(
        patch_size=8,
        fusion_hidden_size=16,
        intermediate_hook_ids=[1, 0],
        intermediate_feature_dims=[8, 8],
        scaled_images_ratios=[0.5, 1.0],
        scaled_images_overlap_ratios=[0.0, 0.2],
        scaled_images_feature_dims=[12, 12],
        image_model_config=size,
        patch_model_config=size,
        fov_model_config=size,
        use_fov_model=has_fov,
        num_fov_head_layers=0,
    )
    model = DepthProForDepthEstimation(config)
    model.head.layers[-2].weight.data *= 0.1
    model.head.layers[-2].bias.data.fill_(6.0)  # away from the ReLU's corner
    if has_fov:
        model.fov_model.head.layers[-1].bias.data.fill_(50.0)
    model.save_pretrained(folder)
    return folder
