"""What Ray says of its cluster becomes what the ledger counts. No Ray runs here; ``test_on_ray.py`` asks a real one."""

from hypothesis import given
from hypothesis import strategies as st

from trialwright.executors.ray_state import (
    UNKNOWN,
    Cluster,
    RayNode,
    amounts,
    lasting,
    machines,
    own_share,
    starved,
    to_bundle,
    to_come,
    to_request,
)
from trialwright.messages import Node
from trialwright.resources import to_units

ONE = ({"CPU": 1.0}, 1)
GROUP = "0123456789abcdef0123456789abcdef0123"
HEAD = RayNode("head", {"memory": 1e9, "node:10.0.0.1": 1.0}, {"memory": 1e9})


def a_cluster(*free, total=2.0, pending=(), types=None):
    """Machines ``m0``, ``m1``... with so many CPUs, and so many that are free."""
    nodes = [RayNode(f"m{index}", {"CPU": total}, {"CPU": cpus} if cpus else {}) for index, cpus in enumerate(free)]
    return Cluster(tuple(nodes), types or {}, tuple(pending))


def held(**cpus):
    return {name: to_units({"cpu": amount}) for name, amount in cpus.items()}


# Names ----------------------------------------------------------------------------------------------------------------


def test_what_ray_counts_for_itself_and_for_placement_groups_is_no_resource():
    internal = ("node:10.0.0.1", "accelerator_type:H100", "object_store_memory", f"bundle_group_{GROUP}")
    groups = (f"CPU_group_{GROUP}", f"CPU_group_0_{GROUP}", f"bundle_group_12_{GROUP}", f"my_group_a_group_{GROUP}")
    assert amounts(dict.fromkeys((*internal, *groups), 1.0)) == {}


def test_a_resource_of_the_users_own_may_have_any_name():
    own = {"my_group_a": 1.0, "bundle_group": 2.0, "bundle_groups": 3.0, "object_store_memory_2": 4.0, "disk": 5.0}
    assert amounts(own) == own
    assert amounts({"CPU": 2, "GPU": 1, "memory": 3}) == {"cpu": 2.0, "gpu": 1.0, "memory": 3.0}


def test_ray_is_asked_by_its_own_names_and_for_nothing_that_is_not_wanted():
    share = to_units({"cpu": 1.5, "memory": 3.0, "disk": 2.0})
    assert to_request(share) == {"num_cpus": 1.5, "num_gpus": 0, "memory": 3, "resources": {"disk": 2.0}}
    assert to_bundle(share | {"gpu": 0}) == {"CPU": 1.5, "memory": 3.0, "disk": 2.0}


def test_a_trial_has_what_its_children_leave():
    children = [to_units({"cpu": 1, "gpu": 1}), to_units({"cpu": 3})]
    assert own_share(to_units({"cpu": 5, "gpu": 1}), children) == {"cpu": 10_000, "gpu": 0}
    assert own_share(to_units({"cpu": 2}), children) == {"cpu": 0}


# What others hold -----------------------------------------------------------------------------------------------------


def test_what_is_neither_free_nor_ours_is_held_by_others():
    assert machines(a_cluster(0.5, 2.0), held(m0=1)) == (
        Node("m0", {"cpu": 2.0}, {"cpu": 0.5}),
        Node("m1", {"cpu": 2.0}),
    )


def test_what_slots_hold_that_ray_does_not_count_yet_is_not_held_twice():
    assert machines(a_cluster(2.0), held(m0=1)) == (Node("m0", {"cpu": 2.0}),)


def test_where_ray_does_not_say_what_is_free_others_hold_nothing():
    assert machines(Cluster((RayNode("m", {"CPU": 2.0}),), {}), {}) == (Node("m", {"cpu": 2.0}),)


def test_only_what_others_hold_at_two_looks_counts():
    before = (Node("a", {"cpu": 4.0}, {"cpu": 1.0}), Node("b", {"cpu": 4.0}))
    now = (Node("a", {"cpu": 4.0}, {"cpu": 3.0}), Node("b", {"cpu": 4.0}, {"cpu": 2.0}))
    assert lasting(before, now) == (Node("a", {"cpu": 4.0}, {"cpu": 1.0}), Node("b", {"cpu": 4.0}))
    assert lasting(now, now) == now


def test_what_others_hold_on_a_machine_that_is_new_counts_at_once():
    new = Node("new", {"cpu": 4.0}, {"cpu": 3.0})
    assert lasting((), (new,)) == (new,)


# Machines to come -----------------------------------------------------------------------------------------------------


def test_a_cluster_of_a_head_alone_may_get_any_machine():
    assert to_come(Cluster((HEAD,), {})) == (UNKNOWN,)


def test_a_cluster_whose_types_are_known_gets_no_other_machine():
    types = {"small": {"CPU": 4, "memory": 10}}
    assert to_come(Cluster((HEAD,), types)) == (Node("small", {"cpu": 4.0, "memory": 10.0}),)


def test_a_cluster_of_workers_without_an_autoscaler_does_not_grow():
    assert to_come(a_cluster(0)) == ()


# Demand that trials keep from being met -------------------------------------------------------------------------------


def test_what_waits_for_what_trials_hold_is_starved():
    assert starved(a_cluster(0, pending=[ONE]), held(m0=2)) == ({"cpu": 1.0},)


def test_what_waits_for_what_others_hold_is_not():
    assert starved(a_cluster(0, pending=[ONE]), {}) == ()


def test_what_waits_although_there_is_room_is_about_to_start():
    assert starved(a_cluster(0, 1.0, pending=[ONE]), held(m0=2, m1=1)) == ()


def test_what_would_not_fit_without_trials_either_waits_for_something_else():
    assert starved(a_cluster(0, pending=[({"CPU": 3.0}, 1)]), held(m0=2)) == ()


def test_what_waits_in_a_placement_group_has_room_of_its_own():
    assert starved(a_cluster(0, pending=[({f"CPU_group_{GROUP}": 1.0}, 1)]), held(m0=2)) == ()


def test_a_request_that_waits_three_times_is_told_three_times():
    assert starved(a_cluster(0, pending=[({"CPU": 1.0}, 3)]), held(m0=2)) == ({"cpu": 1.0},) * 3


AMOUNTS = st.dictionaries(st.sampled_from(["cpu", "gpu", "memory", "disk"]), st.integers(1, 64).map(float))


@given(AMOUNTS)
def test_a_bundle_comes_back_by_the_ledgers_names(share):
    assert amounts(to_bundle(to_units(share))) == share


@given(AMOUNTS, st.lists(AMOUNTS, max_size=3))
def test_a_trials_share_and_its_childrens_are_what_it_was_granted_or_more(granted, children):
    units, shares = to_units(granted), [to_units(child) for child in children]
    own = own_share(units, shares)
    assert own.keys() == units.keys()
    for name, amount in units.items():
        assert 0 <= own[name] <= amount
        assert own[name] + sum(share.get(name, 0) for share in shares) >= amount


@given(st.lists(st.tuples(st.floats(0, 4), st.floats(0, 4)), min_size=1, max_size=4))
def test_what_others_hold_for_good_is_no_more_than_at_either_look(looks):
    def at(index):
        return tuple(
            Node(f"m{number}", {"cpu": 4.0}, {"cpu": look[index]} if look[index] else {})
            for number, look in enumerate(looks)
        )

    for before, now, last in zip(at(0), at(1), lasting(at(0), at(1)), strict=True):
        assert last.others.get("cpu", 0.0) == min(before.others.get("cpu", 0.0), now.others.get("cpu", 0.0))
