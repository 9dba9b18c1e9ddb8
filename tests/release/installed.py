"""Tries an installed wheel, without the source tree. Run from an empty directory: ``python -I installed.py`` where no
extra is installed, then ``python -I installed.py page`` where the extra ``page`` is, too: starlette and uvicorn.

It is no module of the test suite: pytest must not be needed where this runs.
"""

import importlib.metadata
import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import HTTPCookieProcessor, build_opener, urlopen

import trialwright
from trialwright import ASHA, Engine, report, space

PROGRAM = Path(sys.executable).with_name("trialwright")
EXTRAS = ("pandas", "sklearn", "matplotlib", "torch", "optuna")  # nothing may need them
PAGE = ("starlette", "uvicorn")  # only the page needs these


def objective(config):
    for epoch in range(1, 10):
        report(loss=(config["x"] - 0.3) ** 2 + 1 / epoch)


def run(executor: str) -> Path:
    """Run a few trials, and resume the run with more."""
    given = {"metric": "loss", "scheduler": ASHA(max_t=9), "storage": "runs", "seed": 0, "verbose": 0}
    result = Engine(objective, {"x": space.uniform(0, 1)}, num_samples=8, executor=executor, **given).run()
    assert len(result) == 8, result
    more = Engine.resume(result.path, objective, num_samples=12, executor=executor, verbose=0).run()
    assert [trial.config for trial in trialwright.load(more.path)][:8] == [trial.config for trial in result]
    return more.path


def command(*arguments: str) -> str:
    """Call the program that the wheel has installed."""
    return subprocess.run([PROGRAM, *arguments], check=True, capture_output=True, text=True).stdout


def try_page(package: Path) -> None:
    """Have the installed program serve a run, and ask it for its page, its files, and an answer."""
    path = run("local")
    with subprocess.Popen([PROGRAM, "serve", str(path), "--json"], stdout=subprocess.PIPE, text=True) as server:
        try:
            base, _, token = json.loads(server.stdout.readline())["address"].partition("?")
            opener = build_opener(HTTPCookieProcessor())  # the token becomes a cookie
            assert b"<title>Trialwright</title>" in opener.open(f"{base}?{token}", timeout=30).read()
            for asset in (package / "page" / "assets").iterdir():
                assert opener.open(f"{base}assets/{asset.name}", timeout=30).read() == asset.read_bytes(), asset
            summary = json.load(opener.open(f"{base}api/runs/{path.name}/summary", timeout=30))
            assert (summary["trials"], summary["state"]) == (12, "finished"), summary
            assert status(base) == 401, "without the token there is an answer"
        finally:
            server.terminate()
    print(f"page: {base} showed {path.name}, with all its files from the wheel")


def status(address: str) -> int:
    """Return the status of an answer to a request without a cookie."""
    try:
        return urlopen(address, timeout=30).status
    except HTTPError as error:
        return error.code


def try_package(package: Path) -> None:
    """Try what needs no extra."""
    assert not [name for name in (*EXTRAS, *PAGE) if importlib.util.find_spec(name)], "an extra is installed"
    assert (package / "py.typed").is_file()
    for executor in ("local", "processes"):
        path = run(executor)
        assert json.loads(command("show", str(path), "--json"))["states"] == {"ended": 12}
        print(f"{executor}: {path.name} ran and was resumed, and `trialwright show` shows it")
    told = subprocess.run([PROGRAM, "serve", str(path)], check=False, capture_output=True, text=True)
    assert "pip install 'trialwright[page]'" in told.stderr, told
    print("page: without its extra, the command says what to install")


def main() -> None:
    package = Path(trialwright.__file__).parent
    assert "site-packages" in package.parts, f"{package} is not the installed wheel"
    (try_page if sys.argv[1:] == ["page"] else try_package)(package)
    print("trialwright", importlib.metadata.version("trialwright"), "on Python", sys.version.split()[0])


if __name__ == "__main__":
    main()
