"""Runs one pose model inside the environment that holds its package; `subprocess_worker` starts it there.

    python pose_runner.py FOLDER

FOLDER holds `request.json` and pictures `00000.png`, …; this writes `response.json` and `arrays.npz` there:
viewmats [F, 4, 4] (world -> camera, OpenCV), Ks [F, 3, 3] in pixels of the pictures, depths and confidence
[F, H, W], all float32. Lines on stdout: `progress SHARE PHRASE` or, last before a failure, `error SENTENCE`.
Imports nothing of this project, and keeps to Python 3.9 and to NumPy's functions before 2.

Sources of the interfaces: facebookresearch/vggt, README.md and demo_viser.py (`VGGT`, `pose_enc`, `depth`,
`depth_conf`, camera-from-world); depth-anything-3 0.1.1, depth_anything_3/api.py and specs.py (`inference`).
"""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import os
import sys
from pathlib import Path

MISSING_PACKAGE, WRONG_VERSION, OUT_OF_MEMORY, BAD_WEIGHTS, NO_POSES = 10, 11, 12, 13, 14


class Refused(Exception):
    """The model cannot run; `code` is the exit status."""

    def __init__(self, code, sentence):
        super().__init__(sentence)
        self.code = code


def main(folder):
    """Answer the request in `folder` and return the exit status."""
    # Model packages print to stdout as they please; the protocol keeps the real one for itself.
    channel = os.fdopen(os.dup(1), "w", buffering=1, encoding="utf-8")
    os.dup2(2, 1)

    def tell(share, phrase):
        channel.write(f"progress {share:.3f} {phrase}\n")

    try:
        answer(Path(folder), tell)
    except Refused as refused:
        channel.write(f"error {one_line(refused)}\n")
        return refused.code
    return 0


def answer(folder, tell):
    """Run the model named in the request and write its answer."""
    request = json.loads((folder / "request.json").read_text("utf-8"))
    tell(0.0, "loading packages")
    np, torch = package("numpy"), package("torch")
    images = np.stack([read_png(folder / f"{index:05d}.png", np) for index in range(request["count"])])
    device = request["device"]
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    out_of_memory = getattr(torch, "OutOfMemoryError", torch.cuda.OutOfMemoryError)
    try:
        found, about = MODELS[request["model"]](images, request["weights"], device, tell)
    except (out_of_memory, MemoryError) as error:
        sentence = f"ran out of memory on {len(images)} pictures ({one_line(error)})"
        raise Refused(OUT_OF_MEMORY, sentence) from error
    tell(0.95, "writing")
    np.savez(folder / "arrays.npz", **{name: np.asarray(array, np.float32) for name, array in found.items()})
    (folder / "response.json").write_text(json.dumps({"format": 1, **about}), "utf-8")


def vggt(images, weights, device, tell):
    """Answer by VGGT, which has no packaged version: the interface itself is looked for."""
    torch = package("torch")
    model_class = attribute("vggt.models.vggt", "VGGT")
    decode = attribute("vggt.utils.pose_enc", "pose_encoding_to_extri_intri")
    tell(0.1, "loading weights")
    model = loaded(model_class, weights).to(device).eval()
    pixels = torch.from_numpy(images).to(device).permute(0, 3, 1, 2).float() / 255
    tell(0.3, "looking at the pictures")
    with torch.no_grad(), amp(torch, device):
        said = model(pixels[None])
    viewmats, Ks = decode(said["pose_enc"], pixels.shape[-2:])
    found = {
        "viewmats": full_rows(viewmats[0].float().cpu().numpy()),
        "Ks": Ks[0].float().cpu().numpy(),
        "depths": said["depth"][0, ..., 0].float().cpu().numpy(),
        "confidence": from_exponential(said["depth_conf"][0].float().cpu().numpy()),
    }
    return found, {"model": "VGGT", "version": version("vggt"), "is_metric": False}


def depth_anything_3(images, weights, device, tell):
    """Answer by Depth Anything 3."""
    np = package("numpy")
    model_class = attribute("depth_anything_3.api", "DepthAnything3")
    found_version = version("depth-anything-3")
    if not found_version.startswith("0.1."):
        raise Refused(WRONG_VERSION, f"depth-anything-3 must be 0.1.x, got {found_version}")
    tell(0.1, "loading weights")
    model = loaded(model_class, weights).to(device)
    tell(0.3, "looking at the pictures")
    edge = int(max(images.shape[1:3]))
    said = model.inference(list(images), process_res=edge, process_res_method="upper_bound_resize")
    if said.extrinsics is None or said.intrinsics is None:
        raise Refused(
            NO_POSES, "these weights guess depth only; use da3-small, da3-base or another with poses"
        )
    depths = np.array(said.depth, np.float32)
    confidence = np.ones_like(depths) if said.conf is None else from_exponential(np.asarray(said.conf))
    if said.sky is not None:
        depths[np.asarray(said.sky, bool)] = 0
    found = {
        "viewmats": full_rows(np.asarray(said.extrinsics)),
        "Ks": said.intrinsics,
        "depths": depths,
        "confidence": confidence,
    }
    is_metric = bool(said.is_metric) or said.scale_factor is not None
    return found, {"model": "Depth Anything 3", "version": found_version, "is_metric": is_metric}


MODELS = {"vggt": vggt, "depth-anything-3": depth_anything_3}


def package(name):
    """Return a module, or refuse with the package that lacks."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise Refused(MISSING_PACKAGE, f"package {error.name!r} is not installed") from error


def attribute(module, name):
    """Return what `module` must have in the version that we know."""
    found = package(module)
    if not hasattr(found, name):
        raise Refused(WRONG_VERSION, f"{module} must have {name}; this is another version of the package")
    return getattr(found, name)


def loaded(model_class, weights):
    """Return the model with its weights; folders and hub names alike."""
    try:
        return model_class.from_pretrained(weights)
    except MemoryError:
        raise
    except Exception as error:  # hub, file and safetensors errors share no base class
        raise Refused(BAD_WEIGHTS, f"weights {weights!r} cannot be loaded: {one_line(error)}") from error


def version(distribution):
    """Return the version of an installed distribution, or "unknown" for a source folder."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


def amp(torch, device):
    """Return half precision where the device is made for it, as the model's own demo does."""
    is_cuda = str(device).startswith("cuda")
    dtype = torch.bfloat16 if is_cuda and torch.cuda.is_bf16_supported() else torch.float16
    return torch.autocast("cuda" if is_cuda else "cpu", dtype=dtype if is_cuda else None, enabled=is_cuda)


def from_exponential(confidence):
    """Return 0..1 for a confidence of 1 + exp(x), the activation that both models end with."""
    np = package("numpy")
    return 1 - 1 / np.maximum(confidence, 1)


def full_rows(viewmats):
    """Return [F, 4, 4] for [F, 3, 4] or [F, 4, 4]."""
    np = package("numpy")
    full = np.tile(np.eye(4, dtype=np.float32), (len(viewmats), 1, 1))
    full[:, :3] = viewmats[:, :3]
    return full


def read_png(path, np):
    """Return one picture [H, W, 3]."""
    pictures = package("PIL.Image")
    with pictures.open(path) as picture:
        return np.asarray(picture.convert("RGB"))


def one_line(error):
    """Return the first line of an error, or its type where it says nothing."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
