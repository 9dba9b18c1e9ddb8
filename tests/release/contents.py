"""What a wheel and a source distribution must hold: ``python -m tests.release.contents dist``."""

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

NEEDED_TO_BUILD = {"pyproject.toml", "README.md", "LICENSE"}


def tracked(*below: str) -> set[str]:
    """Return the files that git knows, below some paths."""
    listed = subprocess.run(["git", "ls-files", "-z", *below], check=True, capture_output=True, text=True).stdout
    return set(listed.split("\0")) - {""}


def of_wheel(path: Path) -> set[str]:
    """Return the files of a wheel, without those that describe it."""
    return {name for name in zipfile.ZipFile(path).namelist() if ".dist-info/" not in name}


def of_source(path: Path) -> set[str]:
    """Return the files of a source distribution, relative to its own directory."""
    with tarfile.open(path) as archive:
        return {member.name.partition("/")[2] for member in archive if member.isfile()}


def main(directory: Path) -> None:
    """Compare what was built with what git knows.

    Raises:
        SystemExit: something is missing, or should not be there.
    """
    [wheel], [source] = directory.glob("*.whl"), directory.glob("*.tar.gz")
    package = tracked("trialwright")
    faults = [f"the wheel lacks {name}" for name in sorted(package - of_wheel(wheel))]
    faults += [f"the wheel should not hold {name}" for name in sorted(of_wheel(wheel) - package)]
    faults += [f"the source lacks {name}" for name in sorted((package | NEEDED_TO_BUILD) - of_source(source))]
    if faults:
        raise SystemExit("\n".join(faults))
    print(f"{wheel.name}: {len(package)} files of the package, and no others")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
