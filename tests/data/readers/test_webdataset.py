"""Where indexes of tar shards are kept, and what becomes of shards that are cut."""

import io
import tarfile
from pathlib import Path

import pytest

from fiber.data.readers.webdataset import WebDatasetPairs
from fiber.utils.errors import UserError


def write_shard(path: Path) -> None:
    """Three pairs, whose pictures are never decoded."""
    with tarfile.open(path, "w") as tar:
        for name in (f"{key}.{suffix}" for key in range(3) for suffix in ("jpg", "txt")):
            member = tarfile.TarInfo(name)
            member.size = 700
            tar.addfile(member, io.BytesIO(b"x" * 700))


def test_an_index_is_kept_in_the_cache_folder_and_not_beside_the_shard(tmp_path: Path, cache: Path) -> None:
    write_shard(tmp_path / "0.tar")
    assert len(WebDatasetPairs([str(tmp_path / "*.tar")])) == 3
    assert [path.name for path in tmp_path.iterdir()] == ["0.tar"]
    (index,) = cache.rglob("*.npz")
    written = index.stat().st_mtime_ns
    assert len(WebDatasetPairs([str(tmp_path / "*.tar")])) == 3
    assert index.stat().st_mtime_ns == written


def test_a_shard_cut_in_half_is_named(tmp_path: Path) -> None:
    write_shard(tmp_path / "0.tar")
    (tmp_path / "0.tar").write_bytes((tmp_path / "0.tar").read_bytes()[:4000])
    with pytest.raises(UserError, match=r"0\.tar is no uncompressed tar \(unexpected end of data\)"):
        WebDatasetPairs([str(tmp_path / "0.tar")])
