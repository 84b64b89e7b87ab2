"""Reads tox configuration in TOML form: tox.toml and `[tool.tox]` of pyproject.toml.

Called by tox_configuration with the parsed table. It never imports tox and runs nothing. Where tox replaces a
value at run time (`{ replace = "env" }`), the default stands, as no variable is set in the guest.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import product
from typing import Any

from farm_scheduler.errors import PlanError
from farm_scheduler.tox_condition import holds
from farm_scheduler.tox_environment import ToxConfiguration, ToxEnvironment
from farm_scheduler.tox_factors import MAX_NAMES, OPEN_RANGE_FIRST, OPEN_RANGE_LAST

Table = Mapping[str, Any]

MAX_DEPTH = 20
"""How deep references may go."""


def read_toml(
    table: Table, file: str, *, root: Table | None = None, prefix: str = "", also: Iterable[str] = ()
) -> ToxConfiguration:
    """The configuration in a tox table.

    Args:
        table: `[tool.tox]`, or the whole of tox.toml.
        file: where it is, for messages.
        root: the whole file, in which `{ replace = "ref" }` looks.
        prefix: `tool.tox.` when the table is inside pyproject.toml.
        also: environments to read besides those of the list.

    Raises:
        PlanError: a value has a type that tox refuses.
    """
    return _TomlReader(table, root if root is not None else table, file).configuration(prefix, also)


class _TomlReader:
    def __init__(self, table: Table, root: Table, file: str) -> None:
        self._table = table
        self._root = root
        self._file = file
        self._bases = dict(self._generated())

    def configuration(self, prefix: str, also: Iterable[str]) -> ToxConfiguration:
        env_list = self._names(self._first(self._table, "env_list", "envlist"))
        minimum = self._first(self._table, "min_version", "minversion")
        return ToxConfiguration(
            file=self._file,
            env_list=tuple(env_list),
            environments={name: self._environment(name) for name in dict.fromkeys([*env_list, *also])},
            requires=tuple(self._texts(self._table.get("requires"))),
            min_version=str(minimum) if minimum is not None else None,
            skip_missing_interpreters=self._table.get("skip_missing_interpreters") is True,
            overridable=f"{prefix}env_run_base",
            core="",
        )

    def _environment(self, name: str) -> ToxEnvironment:
        return ToxEnvironment(
            name=name,
            base_python=tuple(self._texts(self._value(name, "base_python", "basepython"), name)),
            depends=tuple(self._names(self._value(name, "depends"), name)),
            deps=tuple(self._texts(self._value(name, "deps"), name)),
            runner=str(self._value(name, "runner") or ""),
            installs=not (
                self._value(name, "skip_install") is True
                or self._value(name, "package") == "skip"
                or self._first(self._table, "no_package", "skipsdist") is True
            ),
        )

    def _value(self, name: str, *keys: str) -> Any:
        for table in self._inherited(name):
            value = self._first(table, *keys)
            if value is not None:
                return value
        return None

    def _inherited(self, name: str) -> Iterator[Table]:
        own = self._table_at("env", name)
        yield own
        bases = own.get("base")
        if isinstance(bases, list):
            for base in bases:
                yield self._table_at("env", str(base))
                yield self._table_at(*str(base).removeprefix("tool.tox.").split("."))
            return
        if name in self._bases:
            yield self._table_at("env_base", self._bases[name])
        yield self._table_at("env_run_base")

    def _table_at(self, *keys: str) -> Table:
        here: Any = self._table
        for key in keys:
            here = here.get(key) if isinstance(here, Mapping) else None
        return here if isinstance(here, Mapping) else {}

    def _generated(self) -> Iterator[tuple[str, str]]:
        for base, table in self._table_at("env_base").items():
            factors = table.get("factors") if isinstance(table, Mapping) else None
            if not isinstance(factors, list):
                continue
            if factors and isinstance(factors[0], list | dict):
                names = ["-".join(each) for each in self._product(factors)]
            else:
                names = [str(factor) for factor in factors]
            for name in names:
                yield f"{base}-{name}", base

    def _names(self, value: Any, name: str | None = None) -> list[str]:
        if value is None:
            return []
        whole = isinstance(value, str) or (isinstance(value, Mapping) and "replace" in value)
        entries = [value] if whole else value
        if not isinstance(entries, list):
            raise self._refusal("a list of environments must be a list of strings")
        names: dict[str, None] = {}
        for entry in entries:
            names.update(dict.fromkeys(self._names_of(entry, name)))
        return list(names)

    def _names_of(self, entry: Any, name: str | None) -> Iterator[str]:
        if isinstance(entry, str):
            yield entry
        elif isinstance(entry, Mapping) and "product" in entry:
            excluded = set(map(str, entry.get("exclude") or ()))
            names = ("-".join(each) for each in self._product(entry["product"]))
            yield from (each for each in names if each not in excluded)
        elif isinstance(entry, Mapping) and "replace" not in entry:
            yield from self._factor_group(entry)
        else:
            yield from self._texts([entry], name)

    def _product(self, groups: Any) -> Iterator[tuple[str, ...]]:
        if not isinstance(groups, list):
            raise self._refusal("product must be a list of factor groups")
        values = [self._factor_group(group) for group in groups]
        count = 1
        for each in values:
            count *= len(each)
            if count > MAX_NAMES:
                raise self._refusal(f"a product gives more than {MAX_NAMES} environments")
        return product(*values) if values else iter(())

    def _factor_group(self, group: Any) -> list[str]:
        if isinstance(group, list):
            return [str(each) for each in group]
        if isinstance(group, Mapping):
            if "prefix" in group:
                return self._range(group)
            if len(group) == 1:
                (inner,) = group.values()
                if isinstance(inner, Mapping) and "values" in inner:
                    inner = inner["values"]
                return self._factor_group(inner)
        raise self._refusal("a factor group must be a list or a range")

    def _range(self, group: Table) -> list[str]:
        start, stop = group.get("start", OPEN_RANGE_FIRST), group.get("stop", OPEN_RANGE_LAST)
        if type(start) is not int or type(stop) is not int or stop - start > MAX_NAMES:
            raise self._refusal("start and stop of a range must be small integers")
        return [f"{group['prefix']}{number}" for number in range(start, stop + 1)]

    def _texts(self, value: Any, name: str | None = None, depth: int = 0) -> Iterator[str]:
        """The strings of a value for an environment: lists flattened, `extend` followed, all replaced."""
        if depth > MAX_DEPTH:
            raise self._refusal("references go round in circles")
        if isinstance(value, str):
            yield from (line.strip() for line in value.split("\n") if line.strip())
        elif isinstance(value, list):
            for each in value:
                yield from self._texts(each, name, depth + 1)
        elif isinstance(value, Mapping) and "replace" in value:
            yield from self._texts(self._replaced(value, name), name, depth + 1)

    def _replaced(self, value: Table, name: str | None) -> Any:
        if value["replace"] == "if":
            return self._chosen(value, name)
        if value["replace"] == "ref":
            here: Any = self._root
            keys = value.get("of")
            if isinstance(keys, list):
                for key in keys:
                    here = here.get(str(key)) if isinstance(here, Mapping) else None
                return here
            return self._table_at("env", str(value.get("env"))).get(str(value.get("key")))
        return value.get("default")

    def _chosen(self, value: Table, name: str | None) -> Any:
        condition = value.get("condition")
        if not isinstance(condition, str) or "then" not in value:
            raise self._refusal('{ replace = "if" } needs a condition and then')
        try:
            return value["then"] if holds(condition, name=name) else value.get("else")
        except ValueError as error:
            raise self._refusal(str(error)) from error

    @staticmethod
    def _first(table: Table, *keys: str) -> Any:
        return next((table[key] for key in keys if key in table), None)

    def _refusal(self, what: str) -> PlanError:
        return PlanError(f"{self._file}: {what}; correct it", file=self._file)
