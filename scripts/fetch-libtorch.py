#!/usr/bin/env python3
"""Fetch a CPU libtorch 2.11.0 from the wheels of the package index.

usage: fetch-libtorch.py FOLDER

FOLDER/{lib,include} is then what LIBTORCH may point at. The wheels are downloaded by pip,
checked against the hashes below, and deleted; of the libraries only those that a CPU build
loads are kept (500 MB on x86-64, headers included). A folder that is complete is left alone.
"""
import hashlib
import pathlib
import platform
import shutil
import subprocess
import sys
import tempfile
import zipfile

TORCH = "2.11.0"
# libtorch_cpu.so of the Linux wheels names these two libraries although it calls nothing in them.
CUPTI, CUDART = "nvidia-cuda-cupti==13.0.85", "nvidia-cuda-runtime==13.0.96"
GPU_AND_PYTHON = ("cuda", "nvrtc", "nvshmem", "python", "libshm", "global_deps")

# (system, machine) -> [(requirement, pip platforms, sha256)]
WHEELS = {
    ("Linux", "x86_64"): [
        (f"torch=={TORCH}", ["manylinux_2_28_x86_64"], "7aa2f9bbc6d4595ba72138026b2074be1233186150e9292865e04b7a63b8c67a"),
        (CUPTI, ["manylinux_2_25_x86_64"], "4eb01c08e859bf924d222250d2e8f8b8ff6d3db4721288cf35d14252a4d933c8"),
        (CUDART, ["manylinux_2_17_x86_64"], "7f82250d7782aa23b6cfe765ecc7db554bd3c2870c43f3d1821f1d18aebf0548"),
    ],
    ("Linux", "aarch64"): [
        (f"torch=={TORCH}", ["manylinux_2_28_aarch64"], "d91aac77f24082809d2c5a93f52a5f085032740a1ebc9252a7b052ef5a4fddc6"),
        (CUPTI, ["manylinux_2_25_aarch64"], "796bd679890ee55fb14a94629b698b6db54bcfd833d391d5e94017dd9d7d3151"),
        (CUDART, ["manylinux_2_17_aarch64"], "ef9bcbe90493a2b9d810e43d249adb3d02e98dd30200d86607d8d02687c43f55"),
    ],
    ("Darwin", "arm64"): [
        (f"torch=={TORCH}", ["macosx_11_0_arm64"], "7b6a60d48062809f58595509c524b88e6ddec3ebe25833d6462eeab81e5f2ce4"),
    ],
}


def wheel(requirement, platforms, sha256, folder):
    """Download one wheel into `folder` and return its path."""
    into = pathlib.Path(tempfile.mkdtemp(dir=folder))
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:",
               "--python-version", "3.11", "--dest", str(into), requirement]
    for name in platforms:
        command += ["--platform", name]
    subprocess.run(command, check=True, stdout=sys.stderr)
    path = next(into.glob("*.whl"))
    digest = hashlib.sha256()
    with path.open("rb") as handle:
        while block := handle.read(1 << 20):
            digest.update(block)
    if digest.hexdigest() != sha256:
        sys.exit(f"{path.name}: sha256 is {digest.hexdigest()}, expected {sha256}; nothing was installed")
    return path


def kept(member):
    """Where a wheel's member goes below the folder, or None."""
    path = pathlib.PurePosixPath(member)
    library = ".so" in path.name or path.suffix == ".dylib"
    if member.startswith("torch/include/"):
        return path.relative_to("torch")
    if member.startswith("torch/lib/") and library and not any(word in path.name for word in GPU_AND_PYTHON):
        return path.relative_to("torch")
    if member.startswith("nvidia/") and path.name in ("libcupti.so.13", "libcudart.so.13"):
        return pathlib.PurePosixPath("lib") / path.name
    return None


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    folder = pathlib.Path(sys.argv[1]).absolute()
    marker = folder / "build-version"
    if marker.is_file() and marker.read_text().strip() == TORCH:
        return
    machine = (platform.system(), platform.machine())
    if machine not in WHEELS:
        sys.exit(f"no libtorch wheel is known for {machine[0]} {machine[1]}: install libtorch or PyTorch {TORCH} "
                 "and set LIBTORCH=/its/folder or LIBTORCH_USE_PYTORCH=1")
    print(f"fetching libtorch {TORCH} into {folder}", file=sys.stderr)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".libtorch-") as scratch:
        new = pathlib.Path(scratch) / "new"
        for requirement, platforms, sha256 in WHEELS[machine]:
            path = wheel(requirement, platforms, sha256, scratch)
            with zipfile.ZipFile(path) as archive:
                for member in archive.namelist():
                    target = kept(member)
                    if target is None or member.endswith("/"):
                        continue
                    (new / target).parent.mkdir(parents=True, exist_ok=True)
                    with archive.open(member) as source, (new / target).open("wb") as sink:
                        shutil.copyfileobj(source, sink, 1 << 20)
            path.unlink()
        (new / "build-version").write_text(TORCH + "\n")
        if folder.exists():
            shutil.rmtree(folder)
        new.rename(folder)


if __name__ == "__main__":
    main()
