"""Parts: objects on one axis of the design, built by name and able to say how they were built.

A part keeps the arguments of its own constructor. The pair (kind, arguments) is what a configuration names, what a
model folder stores and what it is rebuilt from; nothing else has to know what an axis is made of.
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar, Generic, TypeVar

from molvae.errors import ConfigError
from molvae.plain import expected


class Part:
    """An object that remembers its constructor's named arguments; they must be plain data (JSON)."""

    kind: ClassVar[str]
    axis: ClassVar[str]
    arguments: dict[str, Any]

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        """Record the arguments, defaults included, and check those of a plain type, before the constructor runs.

        Raises:
            ConfigError: a value of another type or out of its range (`molvae.plain`), before anything is made with it.
        """
        self = super().__new__(cls)
        bound = inspect.signature(cls.__init__).bind(self, *args, **kwargs)
        bound.apply_defaults()
        known = constructor_parameters(cls)
        arguments = {name: bound.arguments[name] for name in known}
        for name, value in arguments.items():
            cls._require_plain(name, known[name], value)
        object.__setattr__(self, "arguments", arguments)
        return self

    @classmethod
    def _require_plain(cls, name: str, parameter: inspect.Parameter, value: Any) -> None:
        wanted = expected(parameter.annotation)
        if wanted is None or value is parameter.default or wanted.holds(value):
            return
        place = getattr(cls, "axis", cls.__name__)
        raise ConfigError("a value that cannot be", where=f"{place}.{name}", got=repr(value), expected=wanted.words)

    def __reduce__(self) -> tuple[object, ...]:
        """Copies take the state as it is: ``__new__`` alone cannot make a part, it wants the arguments."""
        return object.__new__, (type(self),), self.__dict__

    @property
    def spec(self) -> dict[str, Any]:
        """``{"kind": ..., **arguments}``: enough to build an equal part."""
        return {"kind": self.kind, **self.arguments}


def constructor_parameters(cls: type) -> dict[str, inspect.Parameter]:
    """The named parameters of a class's constructor.

    What ``*args`` and ``**kwargs`` would take is left out: a class without a constructor of its own inherits
    ``nn.Module``'s, which has only these and accepts nothing in them.
    """
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    parameters = inspect.signature(cls.__init__).parameters  # type: ignore[misc]
    return {name: parameter for name, parameter in list(parameters.items())[1:] if parameter.kind in named}


PartT = TypeVar("PartT", bound=Part)


class Axis(Generic[PartT]):
    """A table of the parts that can stand in one place of the design.

    Args:
        name: what a user calls the place, for messages ("posterior").
    """

    def __init__(self, name: str):
        self.name = name
        self._classes: dict[str, type[PartT]] = {}

    def __iter__(self) -> Iterator[str]:
        return iter(self._classes)

    def __getitem__(self, kind: str) -> type[PartT]:
        if kind not in self._classes:
            near = difflib.get_close_matches(str(kind), self._classes, n=1)
            hint = f"Did you mean '{near[0]}'?" if near else None
            raise ConfigError(
                f"unknown {self.name}", where=f"{self.name}.kind", got=f"'{kind}'",
                expected=f"one of {', '.join(sorted(self._classes))}", hint=hint,
            )
        return self._classes[kind]

    def register(self, kind: str) -> Callable[[type[PartT]], type[PartT]]:
        """A class decorator that enters the class in the table as ``kind``."""

        def enter(cls: type[PartT]) -> type[PartT]:
            taken = self._classes.get(kind)
            if taken is not None and taken.__qualname__ != cls.__qualname__:
                raise ValueError(f"two classes for {self.name} '{kind}': {taken.__qualname__} and {cls.__qualname__}")
            cls.kind, cls.axis = kind, self.name
            self._classes[kind] = cls
            return cls

        return enter

    def parameters(self, kind: str) -> dict[str, inspect.Parameter]:
        """The constructor parameters of a kind, by name."""
        return constructor_parameters(self[kind])

    def build(self, spec: Mapping[str, Any], **context: Any) -> PartT:
        """A part from its specification.

        Args:
            spec: ``kind`` and arguments.
            context: values known where the parts are put together (the vocabulary's size, say), passed on where the
                class asks for them and the specification does not already have them.

        Raises:
            ConfigError: an unknown kind, an unknown argument (with the nearest match), a missing one, one that cannot be.
        """
        arguments = dict(spec)
        kind = arguments.pop("kind", None)
        if kind is None:
            raise ConfigError(f"no kind given for the {self.name}", where=f"{self.name}.kind",
                              expected=f"one of {', '.join(sorted(self._classes))}")
        known = self.parameters(kind)
        choice = [name for name in known if name not in context]
        for name in arguments:
            if name not in known:
                near = difflib.get_close_matches(name, choice, n=1)
                raise ConfigError(
                    f"unknown key for {self.name} '{kind}'", where=f"{self.name}.{name}", got=f"'{name}'",
                    expected=f"one of {', '.join(choice)}" if choice else "no keys",
                    hint=f"Did you mean '{near[0]}'?" if near else None,
                )
        for name, value in context.items():
            if name in known:
                arguments.setdefault(name, value)
        missing = [n for n, p in known.items() if p.default is p.empty and n not in arguments]
        if missing:
            raise ConfigError(f"{self.name} '{kind}' lacks an argument", where=f"{self.name}.{missing[0]}",
                              expected=", ".join(missing))
        return self[kind](**arguments)
