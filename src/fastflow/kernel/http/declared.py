"""What a route declares of its input: which query parameters it takes, and the field that a validation error is about."""

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import Request, params
from fastapi.dependencies.utils import get_flat_params
from fastapi.routing import APIRoute
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from fastflow.kernel.http.access import authenticated
from fastflow.kit.errors import InvalidInput
from fastflow.kit.words import did_you_mean

_MAX_NAME = 80
_PLACES: Mapping[str, type[params.Param]] = {
    "query": params.Query,
    "path": params.Path,
    "header": params.Header,
    "cookie": params.Cookie,
}


def query_names(route: APIRoute) -> frozenset[str]:
    """The query parameters that the route takes."""
    return frozenset(
        field.alias for field in get_flat_params(route.dependant) if isinstance(field.field_info, params.Query)
    )


def field_at(route: Any, location: Sequence[Any]) -> FieldInfo | None:
    """The declaration of the parameter or body field at a validation error's location; None when there is none.

    Args:
        route: what matched the request.
        location: such as `("query", "limit")` or `("body", "pipelines", 0)`, whose declaration is that of `pipelines`.
    """
    if not isinstance(route, APIRoute) or not location:
        return None
    place, *path = location
    if place != "body":
        declared = get_flat_params(route.dependant)
        kind, name = _PLACES.get(place), str(path[0]) if path else ""
        return next(
            (f.field_info for f in declared if kind and isinstance(f.field_info, kind) and f.alias == name), None
        )
    found = None if route.body_field is None else route.body_field.field_info
    for part in path:
        inner = None if found is None else _field_of(found.annotation, part)
        if inner is None:
            break
        found = inner
    return found


def known_names(route: Any, location: Sequence[Any]) -> Sequence[str]:
    """The fields that the object at a validation error's location takes; none when that is not declared.

    Args:
        route: what matched the request.
        location: of a field that it does not take, such as `("body", "param")`.
    """
    holder = field_at(route, location[:-1])
    model = None if holder is None else _model_of(holder.annotation)
    return () if model is None else tuple(model.model_fields)


def _model_of(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = (_model_of(inner) for inner in getattr(annotation, "__args__", ()))
    return next((model for model in found if model is not None), None)


def _field_of(annotation: Any, name: Any) -> FieldInfo | None:
    """The field of that name in the model that the annotation is, or may be."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation.model_fields.get(str(name))
    for inner in getattr(annotation, "__args__", ()):
        found = _field_of(inner, name)
        if found is not None:
            return found
    return None


async def refuse_unknown_query(request: Request) -> None:
    """Refuse a query parameter that the route does not take: a misspelt filter must not look as if it had been obeyed.

    Whoever needs credentials is asked for them first.

    Raises:
        InvalidInput: names each unknown parameter, the near ones and the known ones.
        Unauthenticated, Forbidden: of a route that needs credentials.
    """
    if not request.scope["query_string"]:
        return
    route = request.scope.get("route")
    if not isinstance(route, APIRoute):
        return
    if (route.openapi_extra or {}).get("x-takes-any-query"):
        return  # called as others please, such as a provider that sends a browser back
    known = query_names(route)
    unknown = [name for name in dict.fromkeys(request.query_params) if name not in known]
    repeated = [name for name in _single_names(route) if len(request.query_params.getlist(name)) > 1]
    if not unknown and not repeated:
        return
    if _needs_credentials(route.dependant):
        await authenticated(request)
    raise _unknown(unknown, sorted(known)) if unknown else _repeated(repeated)


def _single_names(route: APIRoute) -> list[str]:
    """The query parameters that take one value."""
    fields = [field for field in get_flat_params(route.dependant) if isinstance(field.field_info, params.Query)]
    return [field.alias for field in fields if not _is_list(field.field_info.annotation)]


def _is_list(annotation: Any) -> bool:
    return getattr(annotation, "__origin__", annotation) is list or any(
        map(_is_list, getattr(annotation, "__args__", ()))
    )


def _repeated(names: Sequence[str]) -> InvalidInput:
    return InvalidInput(
        f"{', '.join(map(repr, names))} is given more than once.",
        code="repeated_query_parameter",
        hint="Give it once.",
        fields=dict.fromkeys(names, "is given more than once"),
    )


def _needs_credentials(dependant: Any) -> bool:
    return dependant.call is authenticated or any(map(_needs_credentials, dependant.dependencies))


def _unknown(names: Sequence[str], known: Sequence[str]) -> InvalidInput:
    guesses = {name[:_MAX_NAME]: did_you_mean(name, known) for name in names[:20]}
    told = ", ".join(map(repr, list(guesses)[:5]))
    verb = "is no query parameter" if len(names) == 1 else "are no query parameters"
    return InvalidInput(
        f"{told} {verb} of this path.{''.join(guesses.values()) if len(names) == 1 else ''}",
        code="unknown_query_parameter",
        hint=f"It takes {', '.join(known)}." if known else "It takes none.",
        fields={name: f"is no query parameter of this path{'.' * bool(near)}{near}" for name, near in guesses.items()},
    )
