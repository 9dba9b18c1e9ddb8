"""The option with which a test run measures the documents' listings."""


def pytest_addoption(parser):
    parser.addoption("--write-table", action="store_true", help="write the listings' wall times into docs/ray-tune.md")
