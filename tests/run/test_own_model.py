"""A run owns its model: a copy of every file that it is made of, which evaluation and resuming go by."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path

import mujoco
import numpy as np
import pytest
from PIL import Image

from pgrobot import api
from pgrobot.errors import PgrobotError
from pgrobot.run.training import Training
from pgrobot.simulation.model import assets, compiled
from pgrobot.simulation.model_files import ModelFiles

from .conftest import Train, start, tiny_request

TETRAHEDRON = "v 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\nf 1 3 2\nf 1 2 4\nf 1 4 3\nf 2 3 4\n"
CHILD = """<mujoco model="child"><compiler meshdir="meshes"/>
<asset><mesh name="t" file="t.obj"/><hfield name="ground" file="ground.png" size="1 1 1 1"/></asset>
<worldbody><body name="c"><joint/><geom type="mesh" mesh="t"/></body></worldbody></mujoco>"""
MAIN = """<mujoco><compiler meshdir="{meshdir}" texturedir="../outside"/><include file="inc/options.xml"/>
<asset><model name="child" file="sub/child.xml"/><mesh name="t2" file="t2.obj"/>
<texture name="x" type="2d" file="x.png"/><texture name="sky" type="cube" fileright="x.png"/>
<hfield name="hills" file="hills.png" size="1 1 1 1"/></asset>
<worldbody><body name="b"><joint/><geom type="mesh" mesh="t2"/></body><attach model="child" body="c" prefix="q_"/>
</worldbody></mujoco>"""
FILES = ["inc/deep/gravity.xml", "inc/options.xml", "m.xml", "mesh/hills.png", "mesh/t2.obj"]


def model_of_many_files(folder: Path, meshdir: str) -> Path:
    """A model with includes, meshes, textures, height fields and an attached model in folders of odd names."""
    root = folder / "a b,c=d"
    for name in ("inc/deep", "sub/meshes", "mesh", "../outside"):
        (root / name).mkdir(parents=True)
    for name in ("sub/meshes/ground.png", "mesh/hills.png", "../outside/x.png"):
        grey = np.random.default_rng(0).integers(0, 255, (4, 4, 3)).astype(np.uint8)
        Image.fromarray(grey).save(root / name)
    for name in ("sub/meshes/t.obj", "mesh/t2.obj"):
        (root / name).write_text(TETRAHEDRON)
    (root / "sub/child.xml").write_text(CHILD)
    (root / "inc/options.xml").write_text('<mujoco><include file="inc/deep/gravity.xml"/></mujoco>')
    (root / "inc/deep/gravity.xml").write_text('<mujoco><option gravity="0 0 -1"/></mujoco>')
    (root / "m.xml").write_text(MAIN.format(meshdir=meshdir.format(root=root)))
    return root / "m.xml"


@pytest.mark.parametrize("meshdir", ["mesh", "{root}/mesh"], ids=["relative", "absolute"])
def test_a_copy_has_everything_that_a_model_is_made_of(
    meshdir: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = model_of_many_files(tmp_path / "was", meshdir)
    monkeypatch.chdir(tmp_path)
    files = ModelFiles.of("xml_file", path.relative_to(tmp_path))
    assert files.origin == tmp_path / "was"
    below = [*FILES, "sub/child.xml", "sub/meshes/ground.png", "sub/meshes/t.obj"]
    assert sorted(files.content) == sorted([*(f"a b,c=d/{name}" for name in below), "outside/x.png"])
    files.save(tmp_path / "copy")
    shutil.rmtree(tmp_path / "was")
    model = compiled(tmp_path / "copy" / files.file)
    assert (model.nmesh, model.ntex, model.nhfield) == (2, 2, 2)
    assert model.opt.gravity[2] == -1.0


@pytest.mark.parametrize("folder", ['meshdir="mesh"', 'assetdir="{root}/mesh"'], ids=["relative", "absolute"])
def test_files_of_one_name_in_several_folders_are_told_apart(folder: str, tmp_path: Path) -> None:
    """By absolute paths, in a model whose own meshes lie in a folder of their own."""
    was = tmp_path / "was"
    for name in ("robot/mesh", "far"):
        (was / name).mkdir(parents=True)
    (was / "robot/mesh/t.obj").write_text(TETRAHEDRON)
    (was / "far/t.obj").write_text(TETRAHEDRON.replace("1", "2", 1))
    Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(was / "far/x.png")
    (was / "robot/m.xml").write_text(f"""<mujoco><!-- <compiler meshdir="none"/> -->
<compiler {folder.format(root=was / "robot")}/>
<asset><mesh name="near" file="t.obj"/><mesh name="far" file="{was}/far/t.obj"/>
<texture name="x" type="2d" file="{was}/far/x.png"/></asset>
<worldbody><body name="b"><joint/><geom type="mesh" mesh="near"/></body></worldbody></mujoco>""")
    files = ModelFiles.of("xml_file", was / "robot/m.xml")
    assert sorted(files.content) == ["far/t.obj", "far/x.png", "robot/m.xml", "robot/mesh/t.obj"]
    files.save(tmp_path / "copy")
    own = compiled(was / "robot/m.xml")
    shutil.rmtree(was)
    np.testing.assert_array_equal(compiled(tmp_path / "copy" / files.file).mesh_vert, own.mesh_vert)


def test_a_copy_that_is_another_model_is_refused(tmp_path: Path) -> None:
    """What lies at an absolute path far away is copied, but a child's reference to it is not its copy."""
    path = model_of_many_files(tmp_path / "was", "mesh")
    child = path.parent / "sub" / "child.xml"
    child.write_text(CHILD.replace('"t.obj"', f'"{path.parent}/sub/meshes/t.obj"'))
    with pytest.raises(PgrobotError, match=r"cannot keep a copy of the model .*m\.xml, since the copy"):
        ModelFiles.of("xml_file", path)


def hopper(path: Path, gravity: float) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = (assets() / "hopper.xml").read_text()
    path.write_text(text.replace("<worldbody>", f'<option gravity="0 0 {gravity}"/>\n<worldbody>', 1))
    return path


def gravities(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Gravity of every model that is compiled from here on."""
    seen: list[float] = []
    compile_model = mujoco.MjModel.from_xml_path

    def spied(path: str) -> mujoco.MjModel:
        model = compile_model(path)
        seen.append(model.opt.gravity[2])
        return model

    monkeypatch.setattr("mujoco.MjModel.from_xml_path", spied)
    return seen


def test_a_run_goes_on_with_its_own_copy(
    train: Train,
    resume: Train,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Trained on a relative path of odd characters; edited, moved away and looked at from another directory since."""
    own = hopper(tmp_path / "robots" / "a b,c=d.xml", gravity=-3.0)
    monkeypatch.chdir(tmp_path / "robots")
    first = train("run", "task.xml_file='./a b,c=d.xml'").evaluation
    run = tmp_path / "run"
    assert (run / "model" / own.name).read_bytes() == own.read_bytes()
    note = json.loads((run / "manifest.json").read_text())["model"]
    assert (note["option"], note["file"], note["origin"]) == ("xml_file", own.name, str(own.parent))

    monkeypatch.chdir(tmp_path)
    hopper(own, gravity=-9.0)
    with caplog.at_level(logging.WARNING):
        told = api.evaluate(run)
    assert told["return"] == first["return"]
    assert caplog.messages == [
        f"{own} changed since {run} was made, which goes on with its own copy of the model."
    ]
    caplog.clear()
    own.unlink()
    seen = gravities(monkeypatch)
    moved = run.rename(tmp_path / "moved=to, here")
    assert api.evaluate(moved)["return"] == first["return"]
    assert resume(moved, "total_steps=320").status == "finished"
    assert set(seen) == {-3.0}
    assert (
        "./a b,c=d.xml" in (moved / "config.yaml").read_text()
    )  # as typed: the copy is found by the manifest
    assert not [message for message in caplog.messages if "model" in message]


def test_an_original_with_absolute_paths_has_not_changed_though_its_copy_differs(
    train: Train, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    mesh, own = tmp_path / "far" / "t.obj", hopper(tmp_path / "robots" / "own.xml", gravity=-3.0)
    mesh.parent.mkdir()
    mesh.write_text(TETRAHEDRON)
    asset = f'<asset><mesh name="t" file="{mesh}"/></asset>'
    own.write_text(own.read_text().replace("<worldbody>", f"{asset}<worldbody>", 1))
    train("run", f"task.xml_file={own}")
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        api.evaluate(tmp_path / "run")
        assert not [message for message in caplog.messages if "changed" in message]
        own.write_text(own.read_text().replace("-3.0", "-9.0"))
        api.evaluate(tmp_path / "run")
    assert [message for message in caplog.messages if message.startswith(f"{own} changed since")]


def test_a_robot_of_ones_own_module_is_copied_too(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its class says where its model lies: beside the module."""
    package = tmp_path / "own_robots_of_test"
    package.mkdir()
    beside = hopper(package / "cart=1.xml", gravity=-3.0)
    (package / "__init__.py").write_text(
        "from pathlib import Path\nfrom pgrobot.envs.hopper import Hopper\n\n\n"
        "class Mine(Hopper):\n    models = {'v5': str(Path(__file__).parent / 'cart=1.xml')}\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    own = [f"task._target_={package.name}.Mine", f"modules=[{package.name}]"]
    first = train("run", *own, "total_steps=128").evaluation
    assert (tmp_path / "run" / "model" / beside.name).read_bytes() == beside.read_bytes()
    beside.unlink()
    assert api.evaluate(tmp_path / "run", modules=[package.name])["return"] == first["return"]


def test_an_older_run_without_a_copy_says_what_it_goes_on_with(
    train: Train, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    own = hopper(tmp_path / "mine.xml", gravity=-3.0)
    train("run", f"task.xml_file={own}", "total_steps=128")
    manifest = tmp_path / "run" / "manifest.json"
    story = json.loads(manifest.read_text())
    del story["model"]
    manifest.write_text(json.dumps(story))
    with caplog.at_level(logging.WARNING):
        api.evaluate(tmp_path / "run")
    assert caplog.messages == [
        f"{tmp_path / 'run'} keeps no copy of its model, so it goes on with {own} as that is today."
    ]


def test_a_copy_that_changed_is_refused(finished_run: Path, resume: Train) -> None:
    run = finished_run
    copy = run / "model" / "hopper.xml"
    assert copy.read_bytes() == (assets() / "hopper.xml").read_bytes()  # gymnasium's own are copied too
    copy.write_text(copy.read_text().replace("<worldbody>", '<option gravity="0 0 -1"/>\n<worldbody>', 1))
    for attempt in (lambda: api.evaluate(run), lambda: resume(run, "total_steps=320")):
        with pytest.raises(PgrobotError, match=r"model/hopper\.xml is not the model that .* was made with"):
            attempt()
    copy.unlink()
    with pytest.raises(PgrobotError, match=r"model/hopper\.xml, a part of the model .* cannot be read"):
        api.evaluate(run)


def test_nothing_of_a_copy_stays_where_the_run_could_not_be_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = hopper(tmp_path / "robots" / "hopper.xml", gravity=-3.0)
    request = tiny_request(tmp_path / "run", f"task.xml_file={own}")

    def full(path: Path, value: object) -> None:
        assert (tmp_path / "run" / "model" / "hopper.xml").exists()
        raise PgrobotError("The disk is full")

    monkeypatch.setattr("pgrobot.run_directory.write_json", full)
    with pytest.raises(PgrobotError, match="The disk is full"):
        start(request)
    assert not (tmp_path / "run").exists()


def test_evaluations_of_a_running_run_do_not_see_edits_of_the_original(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = hopper(tmp_path / "robot.xml", gravity=-3.0)
    seen = gravities(monkeypatch)
    start_training = Training.start

    def edit_and_start(self: Training) -> None:
        hopper(own, gravity=-9.0)
        start_training(self)

    monkeypatch.setattr(Training, "start", edit_and_start)
    train("run", f"task.xml_file={own}")
    assert set(seen) == {-3.0}


def test_a_gymnasium_task_keeps_the_model_that_it_was_given_by_a_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = hopper(tmp_path / "robots" / "mine.xml", gravity=-3.0)
    monkeypatch.chdir(own.parent)
    typed = [
        "task=gymnasium",
        "task.id=Hopper-v5",
        "+task.kwargs={xml_file: ./mine.xml, max_episode_steps: 20}",
    ]
    first = start(tiny_request(tmp_path / "run", *typed)).evaluation
    monkeypatch.chdir(tmp_path)
    own.unlink()
    assert api.evaluate(tmp_path / "run")["return"] == first["return"]
