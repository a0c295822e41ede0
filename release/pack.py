"""Formats of packages, written so that the same files make the same bytes: tar, Debian's ar, wheels and OCI images.

A tree is a dict: path -> bytes, or (bytes, mode), or None for a folder, or (None, mode). Folders above a path are added.
"""

import base64
import gzip
import hashlib
import io
import json
import lzma
import tarfile
import zipfile
from pathlib import PurePosixPath


def entries(tree):
    """Each path with its content and mode, folders before what is in them."""
    whole = {}
    for path, value in tree.items():
        for folder in list(PurePosixPath(path).parents)[-2::-1]:
            whole.setdefault(str(folder), (None, 0o755))
        content, mode = value if isinstance(value, tuple) else (value, 0o755 if value is None else 0o644)
        whole[path] = content, mode
    return sorted(whole.items())


def tar(tree, when, prefix=""):
    """A tar file of this tree; everything in it is root's."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for path, (content, mode) in entries(tree):
            info = tarfile.TarInfo(prefix + path)
            info.mtime, info.mode, info.uname, info.gname = int(when.timestamp()), mode, "root", "root"
            info.type = tarfile.DIRTYPE if content is None else tarfile.REGTYPE
            info.size = len(content or b"")
            archive.addfile(info, io.BytesIO(content or b""))
    return out.getvalue()


def gzipped(data):
    return gzip.compress(data, 9, mtime=0)


def tar_gz(tree, when):
    return gzipped(tar(tree, when))


def deb(control, tree, when):
    """A Debian package, of the files of its control archive and those that it installs (deb(5))."""
    sums = [
        f"{hashlib.md5(content).hexdigest()}  {path}\n" for path, (content, _) in entries(tree) if content is not None
    ]
    control = control | {"md5sums": "".join(sums).encode()}
    members = {
        "debian-binary": b"2.0\n",
        "control.tar.xz": lzma.compress(tar(control, when, "./")),
        "data.tar.xz": lzma.compress(tar(tree, when, "./"), preset=9),
    }
    out = b"!<arch>\n"
    for name, data in members.items():
        head = f"{name:<16}{int(when.timestamp()):<12}{0:<6}{0:<6}{'100644':<8}{len(data):<10}`\n"
        out += head.encode() + data + b"\n" * (len(data) % 2)
    return out


def wheel(tree, dist_info, when):
    """A wheel: a zip file whose last entry, RECORD, lists the others."""
    out, record = io.BytesIO(), []
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:

        def add(path, content, mode):
            info = zipfile.ZipInfo(path, when.timetuple()[:6])
            info.compress_type, info.create_system = zipfile.ZIP_DEFLATED, 3
            info.external_attr = (0o100000 | mode) << 16
            archive.writestr(info, content)

        for path, (content, mode) in entries(tree):
            if content is not None:
                digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
                record.append(f"{path},sha256={digest},{len(content)}\n")
                add(path, content, mode)
        record.append(f"{dist_info}/RECORD,,\n")
        add(f"{dist_info}/RECORD", "".join(record), 0o644)
    return out.getvalue()


def oci_image(layer, config, architecture, tag, when):
    """An image of one layer as an OCI archive (image-spec 1.1), which docker, podman, skopeo and containerd load."""
    created = when.strftime("%Y-%m-%dT%H:%M:%SZ")
    blobs = {}

    def blob(data, media_type):
        digest = hashlib.sha256(data).hexdigest()
        blobs[f"blobs/sha256/{digest}"] = data
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(data)}

    def document(value):
        return json.dumps(value, separators=(",", ":"), sort_keys=True).encode()

    image = {
        "created": created,
        "architecture": architecture,
        "os": "linux",
        "config": config,
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
        "history": [{"created": created, "created_by": "release/build image"}],
    }
    kind = "application/vnd.oci.image"
    manifest = {
        "schemaVersion": 2,
        "mediaType": f"{kind}.manifest.v1+json",
        "config": blob(document(image), f"{kind}.config.v1+json"),
        "layers": [blob(gzipped(layer), f"{kind}.layer.v1.tar+gzip")],
    }
    named = blob(document(manifest), f"{kind}.manifest.v1+json")
    named["platform"] = {"architecture": architecture, "os": "linux"}
    named["annotations"] = {"org.opencontainers.image.ref.name": tag, "io.containerd.image.name": f"sessctl:{tag}"}
    index = {"schemaVersion": 2, "mediaType": f"{kind}.index.v1+json", "manifests": [named]}
    layout = {"oci-layout": document({"imageLayoutVersion": "1.0.0"}), "index.json": document(index)}
    return tar(blobs | layout, when)
