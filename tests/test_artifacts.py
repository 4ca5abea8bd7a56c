from __future__ import annotations

import json
import os
import random
import resource
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from molvae import artifacts
from molvae.errors import ArtifactError
from molvae.training.checkpoint import Checkpoints, Clock, State
from tests.torture import FULL, note


def write(folder: Path, seed: int = 0) -> Path:
    generator = torch.Generator().manual_seed(seed)
    with artifacts.writing(folder) as writer:
        writer.tensors("weights.safetensors", {"a": torch.randn(3, 4, generator=generator), "b": torch.arange(5)})
        writer.json("config.json", {"seed": seed, "names": ["é", None]})
        writer.text("CARD.md", f"# Model {seed}\n")
    return folder


def test_what_is_written_is_read(tmp_path: Path) -> None:
    files = artifacts.Folder(write(tmp_path / "deep" / "model", seed=3))
    expected = torch.randn(3, 4, generator=torch.Generator().manual_seed(3))
    assert torch.equal(files.tensors("weights.safetensors")["a"], expected)
    assert files.json("config.json") == {"seed": 3, "names": ["é", None]}
    assert files.text("CARD.md") == "# Model 3\n"


NAMES = st.text("abc/.", min_size=1, max_size=5)
DTYPES = st.sampled_from([torch.float32, torch.float64, torch.bfloat16, torch.int64, torch.bool])


@given(st.dictionaries(NAMES, DTYPES, max_size=4))
@settings(max_examples=20, deadline=None)
def test_tensors_come_back_bit_for_bit(tmp_path_factory: pytest.TempPathFactory, kinds: dict[str, torch.dtype]) -> None:
    tensors = {name: torch.tensor([1.1, 0.0, -3.0]).to(dtype) for name, dtype in kinds.items()}
    folder = tmp_path_factory.mktemp("folder") / "tensors"
    with artifacts.writing(folder) as writer:
        writer.tensors("t.safetensors", tensors)
    read = artifacts.Folder(folder).tensors("t.safetensors")
    assert read.keys() == tensors.keys()
    assert all(read[name].dtype == t.dtype and torch.equal(read[name], t) for name, t in tensors.items())


def test_tensors_that_share_memory_are_each_written(tmp_path: Path) -> None:
    whole = torch.arange(10.0)
    with artifacts.writing(tmp_path / "shared") as writer:
        turned = whole.view(2, 5).T
        writer.tensors("t.safetensors", {"whole": whole, "tied": whole, "slice": whole[2:4], "turned": turned})
    read = artifacts.Folder(tmp_path / "shared").tensors("t.safetensors")
    assert torch.equal(read["tied"], whole)
    assert torch.equal(read["slice"], whole[2:4])
    assert torch.equal(read["turned"], whole.view(2, 5).T)


def test_a_folder_that_fails_half_way_leaves_the_earlier_one(tmp_path: Path) -> None:
    write(tmp_path / "model", seed=1)
    with pytest.raises(ZeroDivisionError), artifacts.writing(tmp_path / "model") as writer:
        writer.text("CARD.md", "half")
        raise ZeroDivisionError
    assert artifacts.Folder(tmp_path / "model").json("config.json")["seed"] == 1
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_folder_replaces_the_earlier_one(tmp_path: Path) -> None:
    write(tmp_path / "model", seed=1)
    write(tmp_path / "model", seed=2)
    assert artifacts.Folder(tmp_path / "model").json("config.json")["seed"] == 2


@pytest.mark.parametrize("swaps", [True, False])
def test_a_folder_that_is_replaced_stands_until_the_new_one_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, swaps: bool
) -> None:
    """Whatever removes the old folder finds the new one, whole, under its name: a crash there loses neither."""
    write(tmp_path / "model", seed=1)
    seen = []

    def removing(path: Path, **options: object) -> None:
        seen.append((path.name, artifacts.Folder(tmp_path / "model").json("config.json")["seed"]))
        original(path, **options)

    original = shutil.rmtree
    monkeypatch.setattr(artifacts.shutil, "rmtree", removing)
    if not swaps:
        monkeypatch.setattr(artifacts, "exchange", lambda one, other: False)
    write(tmp_path / "model", seed=2)
    assert seen and all(seed == 2 and name.endswith(artifacts.PARTIAL) for name, seed in seen)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_full_disk_is_said_in_one_line_and_leaves_the_earlier_folder(tmp_path: Path) -> None:
    write(tmp_path / "model", seed=1)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200, hard))
    try:
        with pytest.raises(ArtifactError, match=r"cannot be written at .*model.*intact"):
            write(tmp_path / "model", seed=2)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert artifacts.Folder(tmp_path / "model").json("config.json")["seed"] == 1
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc to see what is synced")
def test_every_file_reaches_the_disk_before_the_folder_gets_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []
    fsync, rename = os.fsync, Path.rename
    monkeypatch.setattr(os, "fsync", lambda fd: (events.append(str(Path(f"/proc/self/fd/{fd}").readlink())), fsync(fd)))
    monkeypatch.setattr(Path, "rename", lambda self, to: (events.append("rename"), rename(self, to))[1])
    write(tmp_path / "model")
    at = events.index("rename")
    synced = {Path(event).name for event in events[:at]}
    assert synced > {"weights.safetensors", "config.json", "CARD.md", "manifest.json"}
    assert events[at + 1 :] == [str(tmp_path)]


def test_leftovers_of_a_crash_are_removed(tmp_path: Path) -> None:
    write(tmp_path / "model")
    shutil.copytree(tmp_path / "model", tmp_path / f".model.0a1b2c3d{artifacts.PARTIAL}")
    assert len(artifacts.remove_leftovers(tmp_path)) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_what_a_user_may_edit_is_not_held_against_them(tmp_path: Path) -> None:
    write(tmp_path / "model")
    (tmp_path / "model" / ".DS_Store").write_bytes(b"\0")
    (tmp_path / "model" / "CARD.md").write_text("mine")
    assert artifacts.Folder(tmp_path / "model", editable=["CARD.md"]).json("config.json")["seed"] == 0
    with pytest.raises(ArtifactError, match=r"CARD\.md"):
        artifacts.Folder(tmp_path / "model")


def test_a_manifest_with_entries_outside_the_folder_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "model")
    (tmp_path / "secret").write_text("s")
    path = tmp_path / "model" / artifacts.MANIFEST
    files = json.loads(path.read_text())["files"]
    path.write_bytes(artifacts._manifest_bytes({**files, "../secret": files["CARD.md"]}))
    with pytest.raises(ArtifactError, match="manifest"):
        artifacts.Folder(tmp_path / "model")


@pytest.mark.parametrize("content", [b"", b"[]", b"null", b"\xff\xfe", b'{"format": 1}', b'{"format": 1, "files": 3}'])
def test_a_manifest_that_is_none_is_refused(tmp_path: Path, content: bytes) -> None:
    write(tmp_path / "model")
    (tmp_path / "model" / artifacts.MANIFEST).write_bytes(content)
    with pytest.raises(ArtifactError, match=r"manifest\.json"):
        artifacts.Folder(tmp_path / "model")


def test_a_folder_of_a_later_format_says_so(tmp_path: Path) -> None:
    write(tmp_path / "model")
    path = tmp_path / "model" / artifacts.MANIFEST
    path.write_text(path.read_text().replace('"format": 1', '"format": 2'))
    with pytest.raises(ArtifactError, match="got format 2; expected format 1"):
        artifacts.Folder(tmp_path / "model")


def flip_a_bit(path: Path, other: Path, chance: random.Random) -> None:
    content = bytearray(path.read_bytes())
    content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    path.write_bytes(content)


def truncate(path: Path, other: Path, chance: random.Random) -> None:
    path.write_bytes(path.read_bytes()[: chance.randrange(path.stat().st_size)])


def swap(path: Path, other: Path, chance: random.Random) -> None:
    shutil.copy(other, path)


def delete(path: Path, other: Path, chance: random.Random) -> None:
    path.unlink()


DAMAGES: list[Callable[[Path, Path, random.Random], None]] = [flip_a_bit, truncate, swap, delete]


def checkpoint(folder: Path, index: int) -> Path:
    generator = torch.Generator().manual_seed(index)
    tensors = {name: torch.randn(40, generator=generator) for name in ("weight", "multiplier")}
    clock = Clock(index=index, log_bytes=100 + index)
    state = State(clock, tensors, {"weight/exp_avg": tensors["weight"]}, {"loss": torch.ones(index)})
    return Checkpoints(folder).save_last(state)


@pytest.mark.torture
def test_every_damage_to_a_checkpoint_or_a_model_is_found_and_the_file_named(tmp_path: Path) -> None:
    model, other_model = write(tmp_path / "model", 1), write(tmp_path / "other", 2)
    state, other_state = checkpoint(tmp_path / "run", 7), checkpoint(tmp_path / "other-run", 8)
    chance, num_damages = random.Random(5), 200 if FULL else 20
    for number in range(num_damages):
        damage = DAMAGES[number % len(DAMAGES)]
        folder, other = (model, other_model) if number % 8 < 4 else (state, other_state)
        shutil.rmtree(tmp_path / "damaged", ignore_errors=True)
        damaged = shutil.copytree(folder, tmp_path / "damaged" / folder.name)
        path = damaged / chance.choice(sorted(file.name for file in folder.iterdir()))
        damage(path, other / path.name, chance)
        with pytest.raises(ArtifactError) as caught:
            if folder is model:
                artifacts.Folder(damaged)
            else:
                Checkpoints(damaged.parent).load_last()
        # A manifest that is another folder's is intact; the files that it does not describe are what is found.
        assert str(damaged) in str(caught.value)
        assert path.name in str(caught.value) or (damage is swap and path.name == artifacts.MANIFEST)
    kinds = [damage.__name__ for damage in DAMAGES]
    note("corruptions", {"corruptions": num_damages, "found": num_damages, "kinds": kinds})


def test_a_checkpoint_under_another_name_is_refused(tmp_path: Path) -> None:
    path = checkpoint(tmp_path, 7)
    path.rename(path.with_name("last-000000009"))
    with pytest.raises(ArtifactError, match="after step 7"):
        Checkpoints(tmp_path).load_last()
