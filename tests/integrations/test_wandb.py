"""What Weights & Biases' client writes offline has what a run reported; it is read record by record."""

from __future__ import annotations

import json
import struct

import pytest

from trialwright import Engine, report
from trialwright import space as s
from trialwright.integrations.wandb import WandbLogger, id_of, setup_wandb
from trialwright.tune.trackers import WandbLoggerCallback
from trialwright.tune.trial import RunFacts

wandb = pytest.importorskip("wandb")
pytestmark = [pytest.mark.filterwarnings("default"), pytest.mark.timeout(300)]
WAIT_S = 120.0
BLOCK = 32_768


@pytest.fixture(autouse=True)
def nobody_is_logged_in(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    for name in ("WANDB_API_KEY", "WANDB_MODE", "WANDB_PROJECT", "WANDB_RUN_GROUP"):
        monkeypatch.delenv(name, raising=False)


def train(config):
    for step in range(1, 4):
        report({"loss": config["lr"] / step, "note": f"s{step}"})
    if config["lr"] > 0.5:
        raise ValueError("no luck")


SPACE = {"lr": s.grid_search([0.3, 0.6]), "model": {"width": 8}}


def run(tmp_path, *callbacks, objective=train, **keywords):
    settings = {"metric": "loss", "executor": "local", "verbose": 0, "storage": tmp_path, "name": "digits"}
    return Engine(objective, SPACE, callbacks=callbacks, **settings | keywords).run()


def records(path):
    """Read a log of LevelDB's format: blocks, in these a head of 7 bytes (checksum, length, kind) before each part."""
    from wandb.proto.wandb_internal_pb2 import Record

    data, place, parts = path.read_bytes(), 7, b""
    while place + 7 <= len(data):
        if BLOCK - place % BLOCK < 7:
            place += BLOCK - place % BLOCK
            continue
        _, length, kind = struct.unpack_from("<IHB", data, place)
        parts += data[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):  # whole, or the last part
            yield Record.FromString(parts)
            parts = b""


def offline(directory):
    """Return the runs by their ids: what each is, its history, and its exit code."""
    found = {}
    for path in sorted(directory.rglob("run-*.wandb")):
        run, history, summary, code = None, [], {}, None
        for record in records(path):
            kind = record.WhichOneof("record_type")
            if kind == "run" and run is None:
                run = record.run
            elif kind == "history":
                history.append({_key(item): json.loads(item.value_json) for item in record.history.item})
            elif kind == "summary":
                summary |= {_key(item): json.loads(item.value_json) for item in record.summary.update}
            elif kind == "exit":
                code = record.exit.exit_code
        config = {item.key: json.loads(item.value_json) for item in run.config.update}
        found.setdefault(run.run_id, []).append((run, config, history, summary, code))
    return found


def _key(item):
    return item.key or "/".join(item.nested_key)


def test_each_trial_is_a_run_with_its_configuration_metrics_and_end(tmp_path):
    result = run(tmp_path, WandbLogger(mode="offline", wait_s=WAIT_S))
    assert not result.warnings
    found = offline(result.path / "wandb")
    for trial in result:
        [(shown, config, history, summary, code)] = found[id_of(f"{result.path.name}/{trial.id}")]
        assert (shown.project, shown.run_group) == ("digits", result.path.name)
        assert {"lr": trial.config["lr"], "model/width": 8}.items() <= config.items()
        assert [(row["step"], row["loss"]) for row in history] == [(row["step"], row["loss"]) for row in trial.history]
        assert (summary["outcome"], code) == (trial.outcome, int(trial.outcome == "failed"))
    assert "no luck" in summary["error"]


def test_a_resumed_run_continues_the_same_runs(tmp_path):
    logger = {"mode": "offline", "wait_s": WAIT_S}
    result = run(tmp_path, WandbLogger(**logger))
    again = Engine.resume(
        result.path,
        lambda config: report(loss=0.1),
        executor="local",
        verbose=0,
        retry_failed="scratch",
        callbacks=[WandbLogger(**logger)],
    ).run()
    assert not again.warnings
    found = offline(result.path / "wandb")
    assert {key[-1]: len(parts) for key, parts in found.items()} == {"0": 1, "1": 2}  # two files of one run, offline


def test_what_is_excluded_is_not_sent(tmp_path):
    result = run(tmp_path, WandbLogger(mode="offline", excludes=["note", "lr"], log_config=True, wait_s=WAIT_S))
    [(_, config, history, _, _)] = offline(result.path / "wandb")[id_of(f"{result.path.name}/0")]
    assert "lr" not in config
    assert "note" not in history[0]
    assert history[0]["config/model/width"] == 8


def test_without_a_key_there_is_a_warning_and_no_question(tmp_path):
    result = run(tmp_path, WandbLogger(wait_s=WAIT_S))
    assert [trial.outcome for trial in result] == ["completed", "failed"]
    assert "there is no API key: call `wandb login` first" in result.warnings[0]


def test_a_trial_opens_its_run_by_itself(tmp_path):
    def objective(config):
        setup_wandb(config, mode="offline", project="own").log({"inside": 1.5})
        train(config)

    result = run(tmp_path, objective=objective, max_concurrent_trials=1)
    found = offline(result.path)
    [(shown, config, history, _, code)] = found[id_of(f"{result.path.name}/0")]
    assert (shown.project, config["model/width"], history[0]["inside"], code) == ("own", 8, 1.5, 0)
    [(*_, summary, code)] = found[id_of(f"{result.path.name}/1")]
    assert "no luck" in summary["error"]
    assert code == 1


def test_ids_are_short_and_differ():
    assert id_of("digits-20260102-030405-1a2b3c/7") == "digits-20260102-030405-1a2b3c-7"
    long = "x" * 100 + "-20260102-030405-1a2b3c/7"
    assert len(id_of(long)) <= 64
    assert id_of(long).endswith("1a2b3c-7")


# As Ray Tune's users know it ------------------------------------------------------------------------------------------


def test_runs_have_the_names_of_ray_tune(tmp_path):
    [tracker] = WandbLoggerCallback("p", mode="offline", upload_timeout=WAIT_S).to_engine(RunFacts("train"))
    result = run(tmp_path, tracker)
    [(shown, _, history, _, _)] = offline(result.path / "wandb")[id_of(f"{result.path.name}/0")]
    assert shown.project == "p"
    assert shown.display_name.startswith("train_")
    assert history[-1]["training_iteration"] == 3


@pytest.mark.parametrize("name", ["upload_checkpoints", "save_checkpoints", "video_kwargs", "image_kwargs"])
def test_what_cannot_be_sent_is_refused_with_what_to_do_instead(name):
    with pytest.raises(ValueError, match=rf"{name}=.*setup_wandb"):
        WandbLoggerCallback("p", **{name: True})


def test_a_key_comes_from_one_place(tmp_path):
    file = tmp_path / "key"
    file.write_text("k" * 40)
    with pytest.raises(ValueError, match="exclude each other"):
        WandbLoggerCallback("p", api_key_file=str(file), api_key="x" * 40)
    WandbLoggerCallback("p", api_key_file=str(file))
