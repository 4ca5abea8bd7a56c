import copy

import pytest
import torch
from torch import nn

from molvae.errors import ConfigError
from molvae.parts import Axis, Part
from molvae.plain import Count


class Shape(Part):
    pass


@pytest.fixture
def axis():
    shapes = Axis("shape")

    @shapes.register("circle")
    class Circle(Shape):
        def __init__(self, radius: "float", centre: tuple[float, float] = (0.0, 0.0)):
            self.radius, self.centre = radius, centre

    @shapes.register("dot")
    class Dot(Shape, nn.Module):
        """A part without a constructor of its own."""

    @shapes.register("net")
    class Net(Shape, nn.Module):
        def __init__(self, num_features: int, *, bias: bool = True):
            super().__init__()
            self.layer = nn.Linear(num_features, 2, bias=bias)

    @shapes.register("star")
    class Star(Shape):
        def __init__(self, num_rays: Count = 5, depth: "Share | None" = None):
            self.num_rays, self.depth = num_rays, depth

    return shapes


def test_a_part_is_rebuilt_from_its_spec(axis):
    for spec in ({"kind": "circle", "radius": 2.0}, {"kind": "dot"}, {"kind": "net", "num_features": 3}):
        part = axis.build(spec)
        assert axis.build(part.spec).spec == part.spec
        assert spec.items() <= part.spec.items()


def test_defaults_and_positional_arguments_are_part_of_the_spec(axis):
    assert axis["circle"](2.0).spec == {"kind": "circle", "radius": 2.0, "centre": (0.0, 0.0)}
    assert axis["net"](3).spec == {"kind": "net", "num_features": 3, "bias": True}
    assert axis["dot"]().spec == {"kind": "dot"}


def test_context_fills_what_the_class_asks_for_and_the_spec_leaves_open(axis):
    assert axis.build({"kind": "net"}, num_features=3, vocabulary_size=9).spec["num_features"] == 3
    assert axis.build({"kind": "net", "num_features": 4}, num_features=3).spec["num_features"] == 4


def test_a_spec_is_not_changed_by_building_from_it(axis):
    spec = {"kind": "net"}
    axis.build(spec, num_features=3)
    assert spec == {"kind": "net"}


@pytest.mark.parametrize(("spec", "message"), [
    ({"kind": "circel", "radius": 1}, r"unknown shape at shape\.kind: got 'circel'.*Did you mean 'circle'"),
    ({"kind": "circle", "radios": 1}, r"shape\.radios.*expected one of radius, centre.*Did you mean 'radius'"),
    ({"kind": "dot", "size": 1}, r"shape\.size.*expected no keys"),
    ({"kind": "dot", "kwargs": 1}, r"shape\.kwargs"),
    ({"kind": "circle"}, r"lacks an argument at shape\.radius"),
    ({"kind": "circle", "radius": "wide"}, r"a value that cannot be at shape\.radius: got 'wide'; expected a number"),
    ({"kind": "circle", "radius": float("nan")}, r"shape\.radius: got nan"),
    ({"kind": "circle", "radius": True}, r"shape\.radius: got True"),
    ({"kind": "net", "num_features": 2.5}, r"shape\.num_features: got 2\.5; expected a whole number"),
    ({"kind": "net", "num_features": 2, "bias": "maybe"}, r"shape\.bias.*expected true or false"),
    ({"kind": "star", "num_rays": 0}, r"shape\.num_rays: got 0; expected a whole number, 1 or more"),
    ({"kind": "star", "depth": 1.5}, r"shape\.depth: got 1\.5; expected a number, 0 to 1"),
    ({"radius": 1}, r"no kind given for the shape.*circle, dot, net, star"),
])
def test_a_wrong_spec_is_refused_with_what_would_be_right(axis, spec, message):
    with pytest.raises(ConfigError, match=message):
        axis.build(spec)


def test_a_part_made_by_hand_is_checked_as_one_from_a_specification(axis):
    with pytest.raises(ConfigError, match=r"shape\.num_rays: got -1"):
        axis["star"](-1)
    assert axis["star"](depth=None).spec == {"kind": "star", "num_rays": 5, "depth": None}


def test_the_table_lists_its_kinds_and_their_parameters(axis):
    assert list(axis) == ["circle", "dot", "net", "star"]
    assert list(axis.parameters("circle")) == ["radius", "centre"]
    assert list(axis.parameters("dot")) == []


def test_two_classes_cannot_share_a_name(axis):
    with pytest.raises(ValueError, match="two classes for shape 'circle'"):

        @axis.register("circle")
        class Ring(Shape):
            pass


def test_a_copy_is_a_part_of_its_own(axis):
    net = axis.build({"kind": "net", "num_features": 3})
    twin = copy.deepcopy(net)
    with torch.no_grad():
        net.layer.weight.zero_()
    assert twin.spec == net.spec
    assert (twin.layer.weight != 0).any()
    assert twin.layer(torch.zeros(1, 3)).shape == (1, 2)
