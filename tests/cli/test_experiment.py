"""Experiments as plain data: spaces, objects with options, objectives of files."""

import json

import pytest

from trialwright import ASHA, TPE, Local, Space, space
from trialwright.cli.experiment import KEYS, keywords, load_object, read, space_of, value_of

CODE = """
import beside
from trialwright import space
SPACE = {"x": space.uniform(0, 1)}
class Model:
    def train(config):
        return {"loss": beside.VALUE}
def objective(config):
    return {"loss": config["x"]}
"""


@pytest.fixture
def program(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "beside.py").write_text("VALUE = 3\n")
    (tmp_path / "a_program.py").write_text(CODE)
    return tmp_path


def test_a_space_is_written_with_the_names_of_its_functions():
    told = {
        "lr": {"loguniform": ["1e-4", 0.1]},
        "model": {"depth": {"randint": {"lower": 1, "upper": 4}}, "width": {"choice": [32, 64]}},
        "optimizer": {"choice": [{"name": "sgd", "momentum": {"uniform": [0, 1]}}, {"name": "adam"}]},
        "sizes": [1, 2],
    }
    branches = [{"name": "sgd", "momentum": space.uniform(0, 1)}, {"name": "adam"}]
    assert Space(space_of(told)).to_plain() == Space(
        {
            "lr": space.loguniform(1e-4, 0.1),
            "model": {"depth": space.randint(1, 4), "width": space.choice([32, 64])},
            "optimizer": space.choice(branches),
            "sizes": [1, 2],
        }
    ).to_plain()  # fmt: skip


@pytest.mark.parametrize("told", [{"lr": {"loguniform": [0, 1]}}, {"lr": {"uniform": 3}}, {"lr": {"choice": 3}}])
def test_wrong_arguments_of_a_domain_are_refused_by_its_name(told):
    with pytest.raises(ValueError, match=next(iter(told["lr"]))):
        space_of(told)


def test_objects_are_written_as_names_with_options(tmp_path):
    assert value_of("scheduler", "asha(max_t=20, reduction_factor=3)", tmp_path) == ASHA(max_t=20, reduction_factor=3)
    assert value_of("executor", "local(cpus=3)", tmp_path) == Local(cpus=3)
    assert isinstance(value_of("searcher", "tpe()", tmp_path), TPE)
    assert value_of("scheduler", "asha", tmp_path) == "asha"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("ahsa(max_t=3)", "'ahsa' is not known; did you mean 'asha'"),
        ("asha(max=3)", "asha.max=3.*unexpected keyword"),
        ("asha(3)", "must be a name, or a name with options"),
        ("asha(max_t=open('x'))", "must be a name, or a name with options"),
        ("asha(max_t=3", "must be a name, or a name with options"),
    ],
)
def test_an_object_that_cannot_be_made_is_refused(tmp_path, text, why):
    with pytest.raises(ValueError, match=why):
        value_of("scheduler", text, tmp_path)


def test_objectives_and_spaces_come_from_files_with_what_lies_beside_them(program):
    assert load_object("a_program.py:Model.train", program)({}) == {"loss": 3}
    assert keywords({"objective": "a_program.py:objective", "space": "a_program.py:SPACE"}, program)[
        "space"
    ].keys() == {"x"}


@pytest.mark.parametrize(
    ("named", "why"),
    [
        ("a_program.py", "must be FILE.py:objective"),
        ("a_program.py:objectiv", "no 'objectiv'; did you mean 'objective'"),
        ("nothing.py:objective", "there is no file"),
        ("not_a.module_at_all:objective", "there is no module"),
    ],
)
def test_an_objective_that_is_not_there_is_refused(program, named, why):
    with pytest.raises(ValueError, match=why):
        load_object(named, program)


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("a.yaml", "a: [", "cannot be read"),
        ("a.json", "{", "cannot be read"),
        ("a.yaml", "3", "must hold names with values"),
        ("a.toml", "", "must end with .yaml, .yml or .json"),
    ],
)
def test_a_file_that_is_none_is_refused(tmp_path, name, text, why):
    (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=why):
        read(tmp_path / name)


def test_keys_are_the_keywords_of_the_engine_and_the_nearest_is_named(program):
    assert {"objective", "space", "metric", "num_samples", "keep_checkpoints"} <= KEYS
    with pytest.raises(ValueError, match="no 'num_sample'; did you mean 'num_samples'"):
        keywords({"objective": "a_program.py:objective", "num_sample": 3}, program)


def test_yaml_and_json_say_the_same(tmp_path):
    told = {"space": {"lr": {"uniform": [0, 1]}}, "stop": {"loss": ["<=", 0.1]}}
    (tmp_path / "a.json").write_text(json.dumps(told))
    (tmp_path / "a.yaml").write_text("space: {lr: {uniform: [0, 1]}}\nstop: {loss: ['<=', 0.1]}\n")
    assert read(tmp_path / "a.json") == read(tmp_path / "a.yaml") == told
    assert value_of("stop", told["stop"], tmp_path) == {"loss": ("<=", 0.1)}
