"""JSON of the server to the objects of models.

Called by farm. Fields that this version does not know are left out, so that an older client works with a newer server;
a field that is missing, or of another type, is an error of the server's, never passed on.
"""

from dataclasses import fields, is_dataclass
from datetime import datetime
from typing import Any, Dict, List, Tuple, Type, TypeVar, Union, get_args, get_origin, get_type_hints

from wheelfarm_client.errors import AnswerError

Model = TypeVar("Model")
PLAIN = {str: (str,), int: (int,), float: (int, float), bool: (bool,)}


def decode(kind: Type[Model], document: Any) -> Model:
    """The object of this kind that a JSON object describes.

    Raises:
        AnswerError: it does not.
    """
    if not isinstance(document, dict):
        raise AnswerError(f"the server gave no {kind.__name__}; is the address that of a farm?")
    values = {}
    for name, hint in _hints(kind).items():
        if name not in document:
            raise AnswerError(
                f"the server gave a {kind.__name__} without {name}; is it older than this client?"
            )
        values[name] = _value(hint, document[name], f"{kind.__name__}.{name}")
    return kind(**values)


def decode_items(kind: Type[Model], document: Any) -> List[Model]:
    """The objects of this kind in a list that has no pages.

    Raises:
        AnswerError: it is no such list.
    """
    if not isinstance(document, dict) or not isinstance(document.get("items"), list):
        raise AnswerError(f"the server gave no list of {kind.__name__}; is the address that of a farm?")
    return [decode(kind, item) for item in document["items"]]


def _hints(kind: Type[Any]) -> Dict[str, Any]:
    hints = get_type_hints(kind)
    return {field.name: hints[field.name] for field in fields(kind)}


def _value(hint: Any, value: Any, where: str) -> Any:
    if hint is Any or (value is None and get_origin(hint) is Union):
        return value
    if get_origin(hint) is not None:
        return _many(get_origin(hint), get_args(hint), value, where)
    if is_dataclass(hint):
        return decode(hint, value)  # type: ignore[arg-type]  # a class, as all hints of models are
    if hint is datetime and isinstance(value, str):
        return _moment(value, where)
    if isinstance(value, PLAIN.get(hint, ())) and (hint is bool or not isinstance(value, bool)):
        return value
    raise _wrong(value, where)


def _many(origin: Any, inner: Tuple[Any, ...], value: Any, where: str) -> Any:
    if origin is Union:
        return _value(inner[0], value, where)
    if origin is list and isinstance(value, list):
        return [_value(inner[0], each, where) for each in value]
    if origin is tuple and isinstance(value, list) and len(value) == len(inner):
        return tuple(_value(each, part, where) for each, part in zip(inner, value))
    if origin is dict and isinstance(value, dict):
        return {str(name): _value(inner[1], each, where) for name, each in value.items()}
    raise _wrong(value, where)


def _wrong(value: Any, where: str) -> AnswerError:
    return AnswerError(f"the server gave {type(value).__name__} for {where}; is it newer than this client?")


def _moment(value: str, where: str) -> datetime:
    try:
        return datetime.fromisoformat(value.replace("Z", "+00:00"))
    except ValueError as error:
        raise AnswerError(f"the server gave no time for {where}") from error
