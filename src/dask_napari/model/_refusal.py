"""Refusals: why an output is not shown, as a value that can be kept, returned or raised."""

from __future__ import annotations


class Refusal(Exception):
    """An output that cannot be shown, and why.

    One form for both ends of a stream: it can be raised where an item is made, returned beside
    the items that could be made, counted by its reason, and told to people by its text.

    Parameters
    ----------
    reason : str
        Short cause, as the ledger counts it; it names no task, so that equal causes add up.
    detail : str, optional
        What people need to know to mend it; the reason if not given.
    layer : str, optional
        The layer that the output was for; empty if it concerns none or all.
    key : str, optional
        Key of the task, empty if no task is at fault.

    Examples
    --------
    >>> refusal = Refusal("no position", "'a.tif' matches up to 'a'", layer="cells", key="read-1")
    >>> refusal.reason, str(refusal)
    ('no position', "'a.tif' matches up to 'a'")
    >>> Refusal("queue-full")
    Refusal('queue-full')
    """

    def __init__(self, reason: str, detail: str = "", *, layer: str = "", key: str = "") -> None:
        super().__init__(detail or reason)
        self.reason = reason
        self.detail: str = detail or reason
        self.layer = layer
        self.key = key

    @staticmethod
    def of(error: BaseException) -> Refusal:
        """Return an error as a refusal that is counted by its type; a refusal as it is.

        >>> Refusal.of(KeyError("A13"))
        Refusal('error: KeyError', detail="KeyError: 'A13'")
        """
        if isinstance(error, Refusal):
            return error
        refusal = Refusal(reason_of(error), f"{type(error).__name__}: {shown(error)}")
        refusal.__cause__ = error
        return refusal

    def without_frames(self) -> Refusal:
        """Return this refusal, fit to be kept: the frames of its tracebacks would hold the output.

        >>> try:
        ...     raise Refusal("queue-full")
        ... except Refusal as error:
        ...     error.without_frames().__traceback__ is None
        True
        """
        error: BaseException | None = self
        while error is not None:
            error.__traceback__ = None
            error = error.__cause__ or error.__context__
        return self

    def __reduce__(self) -> tuple[object, ...]:
        return _restored, (type(self), self.reason, self.detail, self.layer, self.key)

    def __repr__(self) -> str:
        fields = {"detail": self.detail, "layer": self.layer, "key": self.key}
        told = "".join(
            f", {name}={value!r}"
            for name, value in fields.items()
            if value not in ("", self.reason)
        )
        return f"{type(self).__name__}({self.reason!r}{told})"


def reason_of(error: BaseException) -> str:
    """Return the short cause of an error, as the ledger counts it.

    >>> reason_of(Refusal("no position")), reason_of(KeyError("A13"))
    ('no position', 'error: KeyError')
    """
    return error.reason if isinstance(error, Refusal) else f"error: {type(error).__name__}"


def shown(value: object) -> str:
    """Return ``str(value)``, or its type where that raises: keys and errors are users' code.

    >>> shown(("x", 3))
    "('x', 3)"
    """
    try:
        return str(value)
    except BaseException:
        return f"<{type(value).__name__}>"


def _restored(kind: type[Refusal], reason: str, detail: str, layer: str, key: str) -> Refusal:
    return kind(reason, detail, layer=layer, key=key)
