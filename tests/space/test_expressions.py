import numpy as np
import pytest

from trialwright.space import Space, choice, randint, uniform
from trialwright.space.constraints import Expression

CONFIG = {"a": 2, "b": 8.0, "kind": "svm", "layers": [4, 9], "model": {"depth": 3}, "flag": True, "none": None}


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("a < b", True),
        ("a < b < 8", False),
        ("a ** 3 == b and not a > b", True),
        ("model.depth * 2 + -layers[0] <= 2", True),
        ("layers[1] // 2 % 3 != 1", False),
        ("kind in ['tree', 'svm'] or a / 0 > 1", True),
        ("kind not in ('tree', 'svm')", False),
        ("log2(b) == 3 and max(a, b, 9) == 9 and abs(-a) == min(a, b)", True),
        ("model['depth'] == 3 and flag == True and none == None", True),
        ("a != 2 and 1 / (a - 2) > 0", False),
    ],
)
def test_a_string_means_what_it_means_in_python(text, holds):
    assert Expression(text)(CONFIG) is holds


def test_a_constraint_about_a_parameter_that_is_not_there_holds():
    assert Expression("model.width < 3")(CONFIG)
    assert Expression("layers[7] < 3 and a > 99")(CONFIG)


@pytest.mark.parametrize(
    "text",
    [
        "a <",
        "",
        "__import__('os')",
        "a.b()",
        "open('x')",
        "lambda: 1",
        "[x for x in y]",
        "a if b else c",
        "a[b]",
        "a @ b",
    ],
)
def test_what_does_more_than_compare_and_calculate_is_refused(text):
    with pytest.raises(ValueError, match=r"constraint|not the path"):
        Expression(text)


class TestInASpace:
    def test_every_draw_satisfies_it(self):
        space = Space({"a": uniform(0, 1), "b": uniform(0, 1)}, constraints=["a < b"])
        assert all(config["a"] < config["b"] for config in space.sample(100, np.random.default_rng(0)))

    def test_other_branches_are_not_changed(self):
        space = Space({"m": choice([{"depth": randint(1, 9)}, {"width": randint(1, 9)}])}, ["m.depth > 4"])
        configs = space.sample(200, np.random.default_rng(0))
        assert {config["m"].get("depth", 9) for config in configs} == {5, 6, 7, 8, 9}

    def test_a_name_that_the_space_lacks_is_refused_with_the_nearest(self):
        with pytest.raises(ValueError, match="has no 'widht'.*'width'"):
            Space({"width": uniform(0, 1)}, constraints=["widht < 0.5"])

    def test_a_violated_one_is_named_by_its_text(self):
        space = Space({"a": uniform(0, 1)}, constraints=["a < 0.5"])
        assert space.validate({"a": 0.9}) == ["constraint 'a < 0.5' is violated by {'a': 0.9}"]

    def test_being_data_it_has_a_plain_form(self):
        space = Space({"a": uniform(0, 1), "b": uniform(0, 1)}, constraints=["a < b", "a > 0.1"])
        again = Space.from_plain(space.to_plain())
        assert again.to_plain() == space.to_plain()
        assert all(0.1 < config["a"] < config["b"] for config in again.sample(20, np.random.default_rng(0)))
        assert Space({"a": uniform(0, 1)}, constraints=["a < 1", bool]).to_plain() is None
