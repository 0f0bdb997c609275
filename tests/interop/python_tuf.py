"""Reads and writes repositories with python-tuf, for crates/update/tests/interop.rs.

    python_tuf.py read FOLDER ROOT TARGET...   prints each target's content as hexadecimal, one line each
    python_tuf.py write FOLDER                 writes a repository with every kind of key, thresholds, rotated roots and delegations
"""

import os
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import unquote, urlparse

from securesystemslib.signer import CryptoSigner
from tuf.api.exceptions import DownloadHTTPError
from tuf.api.metadata import (
    DelegatedRole,
    Delegations,
    Metadata,
    MetaFile,
    Root,
    Snapshot,
    TargetFile,
    Targets,
    Timestamp,
)
from tuf.ngclient import Updater
from tuf.ngclient.fetcher import FetcherInterface


class Folder(FetcherInterface):
    """A static host without a network."""

    def _fetch(self, url):
        path = Path(unquote(urlparse(url).path))
        if not path.is_file():
            raise DownloadHTTPError(f"no {path}", 404)
        yield path.read_bytes()


def read(folder, root, names):
    """Updates from the repository and downloads targets like any client."""
    address = Path(folder).resolve().as_uri()
    with tempfile.TemporaryDirectory() as own:
        updater = Updater(
            metadata_dir=os.path.join(own, "metadata"),
            metadata_base_url=f"{address}/metadata/",
            target_dir=own,
            target_base_url=f"{address}/targets/",
            fetcher=Folder(),
            bootstrap=Path(root).read_bytes(),
        )
        updater.refresh()
        for name in names:
            target = updater.get_targetinfo(name)
            if target is None:
                raise SystemExit(f"no role names {name}")
            print(Path(updater.download_target(target)).read_bytes().hex())


def pinned(data):
    """How a parent role pins a file of metadata."""
    return MetaFile.from_data(Metadata.from_bytes(data).signed.version, data, ["sha256", "sha512"])


def write(folder):
    """Two roots, of which the second exchanges a key; targets at the top and in two delegated roles."""
    expires = datetime.now(UTC).replace(microsecond=0) + timedelta(days=30)
    metadata, targets = Path(folder, "metadata"), Path(folder, "targets")
    metadata.mkdir(parents=True)
    keys = {
        "root": [CryptoSigner.generate_ed25519(), CryptoSigner.generate_ecdsa(), CryptoSigner.generate_rsa()],
        "timestamp": [CryptoSigner.generate_ecdsa()],
        "snapshot": [CryptoSigner.generate_rsa()],
        "targets": [CryptoSigner.generate_ed25519(), CryptoSigner.generate_ecdsa()],
        "team/a b": [CryptoSigner.generate_rsa()],
        "bins": [CryptoSigner.generate_ecdsa()],
    }

    def save(name, signed, signers):
        envelope = Metadata(signed)
        for signer in signers:
            envelope.sign(signer, append=True)
        data = envelope.to_bytes()
        (metadata / name).write_bytes(data)
        return data

    root = Root(expires=expires)
    for role in ("root", "timestamp", "snapshot", "targets"):
        for signer in keys[role]:
            root.add_key(signer.public_key, role)
    root.roles["root"].threshold = 2
    root.roles["targets"].threshold = 2
    save("1.root.json", root, keys["root"])
    old = keys["root"].pop(0)
    root.revoke_key(old.public_key.keyid, "root")
    keys["root"].append(CryptoSigner.generate_ecdsa())
    root.add_key(keys["root"][-1].public_key, "root")
    root.version = 2
    save("2.root.json", root, [old, *keys["root"]])

    def add(role, name, content):
        target = TargetFile.from_data(name, content, ["sha256", "sha512"])
        role.targets[name] = target
        directory, _, base = name.rpartition("/")
        path = targets / directory / f"{target.hashes['sha256']}.{base}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    top, team, bins = (Targets(expires=expires) for _ in range(3))
    add(top, "top.txt", b"from the top")
    add(team, "team/file name", b"from the team")
    add(bins, "anything", b"from the bins")
    top.delegations = Delegations(
        {},
        roles={
            "team/a b": DelegatedRole("team/a b", [], 1, True, paths=["team/*"]),
            "bins": DelegatedRole("bins", [], 1, False, path_hash_prefixes=[f"{nibble:x}" for nibble in range(16)]),
        },
    )
    for role in ("team/a b", "bins"):
        top.add_key(keys[role][0].public_key, role)
    snapshot, timestamp = Snapshot(expires=expires), Timestamp(expires=expires)
    snapshot.meta["targets.json"] = pinned(save("1.targets.json", top, keys["targets"]))
    snapshot.meta["team/a b.json"] = pinned(save("1.team%2Fa%20b.json", team, keys["team/a b"]))
    snapshot.meta["bins.json"] = pinned(save("1.bins.json", bins, keys["bins"]))
    timestamp.snapshot_meta = pinned(save("1.snapshot.json", snapshot, keys["snapshot"]))
    save("timestamp.json", timestamp, keys["timestamp"])


if __name__ == "__main__":
    if sys.argv[1] == "read":
        read(sys.argv[2], sys.argv[3], sys.argv[4:])
    else:
        write(sys.argv[2])
