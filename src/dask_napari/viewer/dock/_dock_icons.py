"""Icons of the dock, drawn in a colour of the theme: fonts lack many of the signs."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Final

from qtpy.QtCore import QPointF, QRectF, Qt
from qtpy.QtGui import QIcon, QPainter, QPainterPath, QPen, QPixmap, QPolygonF

from dask_napari.viewer.dock._dock_colours import RGB, blend, qcolor

SIDE: Final = 64
"""Pixels of an icon as it is drawn; Qt makes it smaller."""

STROKE: Final = 7.0
"""Width of lines, of :data:`SIDE`."""


@cache
def icon(name: str, colour: RGB, background: RGB) -> QIcon:
    """Return an icon in a colour; one that cannot be pressed is drawn in half of it."""
    found = QIcon()
    for mode, rgb in (
        (QIcon.Mode.Normal, colour),
        (QIcon.Mode.Disabled, blend(colour, background, 0.6)),
    ):
        picture = QPixmap(SIDE, SIDE)
        picture.fill(Qt.GlobalColor.transparent)
        painter = QPainter(picture)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        pen = QPen(qcolor(rgb), STROKE)
        pen.setCapStyle(Qt.PenCapStyle.RoundCap)
        pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
        painter.setPen(pen)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        _DRAWINGS[name](painter)
        painter.end()
        found.addPixmap(picture, mode)
    return found


def _polygon(*points: tuple[float, float]) -> QPolygonF:
    return QPolygonF([QPointF(x, y) for x, y in points])


def _filled(painter: QPainter) -> None:
    painter.setBrush(painter.pen().color())


def _pause(painter: QPainter) -> None:
    _filled(painter)
    painter.drawRect(QRectF(18, 16, 6, 32))
    painter.drawRect(QRectF(40, 16, 6, 32))


def _play(painter: QPainter) -> None:
    _filled(painter)
    painter.drawPolygon(_polygon((20, 14), (48, 32), (20, 50)))


def _newest(painter: QPainter) -> None:
    _filled(painter)
    painter.drawPolygon(_polygon((14, 16), (40, 32), (14, 48)))
    painter.drawLine(QPointF(50, 14), QPointF(50, 50))


def _more(painter: QPainter) -> None:
    _filled(painter)
    for x in (12, 32, 52):
        painter.drawEllipse(QPointF(x, 32), 3, 3)


def _link(painter: QPainter) -> None:
    painter.drawLine(QPointF(18, 46), QPointF(46, 18))
    painter.drawPolyline(_polygon((24, 18), (46, 18), (46, 40)))


def _eye(painter: QPainter) -> None:
    path = QPainterPath(QPointF(6, 32))
    path.quadTo(32, 4, 58, 32)
    path.quadTo(32, 60, 6, 32)
    painter.drawPath(path)
    _filled(painter)
    painter.drawEllipse(QPointF(32, 32), 7, 7)


def _eye_closed(painter: QPainter) -> None:
    path = QPainterPath(QPointF(6, 28))
    path.quadTo(32, 58, 58, 28)
    painter.drawPath(path)
    for start, end in (((16, 42), (11, 50)), ((32, 46), (32, 55)), ((48, 42), (53, 50))):
        painter.drawLine(QPointF(*start), QPointF(*end))


def _closed(painter: QPainter) -> None:
    painter.drawPolyline(_polygon((24, 16), (42, 32), (24, 48)))


def _open(painter: QPainter) -> None:
    painter.drawPolyline(_polygon((16, 24), (32, 42), (48, 24)))


def _check(painter: QPainter) -> None:
    painter.drawPolyline(_polygon((12, 34), (26, 48), (52, 16)))


def _warning(painter: QPainter) -> None:
    painter.drawPolygon(_polygon((32, 8), (58, 54), (6, 54)))
    painter.drawLine(QPointF(32, 26), QPointF(32, 38))
    painter.drawPoint(QPointF(32, 47))


def _note(painter: QPainter) -> None:
    painter.drawEllipse(QPointF(32, 32), 24, 24)
    painter.drawLine(QPointF(32, 31), QPointF(32, 45))
    painter.drawPoint(QPointF(32, 20))


def _add(painter: QPainter) -> None:
    painter.drawLine(QPointF(32, 12), QPointF(32, 52))
    painter.drawLine(QPointF(12, 32), QPointF(52, 32))


def _stop(painter: QPainter) -> None:
    painter.drawLine(QPointF(16, 16), QPointF(48, 48))
    painter.drawLine(QPointF(48, 16), QPointF(16, 48))


def _dot(painter: QPainter) -> None:
    _filled(painter)
    painter.drawEllipse(QPointF(32, 32), 20, 20)


_DRAWINGS: Final[dict[str, Callable[[QPainter], None]]] = {
    "add": _add,
    "check": _check,
    "closed": _closed,
    "dot": _dot,
    "eye": _eye,
    "eye closed": _eye_closed,
    "link": _link,
    "more": _more,
    "newest": _newest,
    "note": _note,
    "open": _open,
    "pause": _pause,
    "play": _play,
    "stop": _stop,
    "warning": _warning,
}
