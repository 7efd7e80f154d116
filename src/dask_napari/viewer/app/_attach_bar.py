"""A field for the address of a scheduler, whose cluster is attached to the viewer."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Final

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QLabel, QLineEdit, QPushButton, QVBoxLayout, QWidget

from dask_napari.stream.auth import host_and_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from dask_napari.live import ClusterAttachment
    from dask_napari.stream.receive import Receiver


logger = logging.getLogger(__name__)

TEXT_LIMIT: Final = 300
"""Characters of an error; the log has all of it."""


class AttachBar(QWidget):  # type: ignore[misc]
    """Attach the cluster of a scheduler to a receiver, and leave it again.

    Threads connect and disconnect, since a scheduler may not answer.
    """

    changed = Signal(str)

    def __init__(self, receiver: Receiver) -> None:
        super().__init__()
        self._receiver = receiver
        self._attachment: ClusterAttachment | None = None
        self._gone = False
        self.connect_timeout: float = 10.0
        self.address: QLineEdit = QLineEdit()
        self.address.setPlaceholderText("tcp://scheduler:8786")
        self.address.setAccessibleName("Address of a Dask scheduler")
        self.address.setToolTip("Address of a Dask scheduler, whose tasks are to be shown here")
        self.address.returnPressed.connect(self._click)
        self.listen: QLineEdit = QLineEdit()
        self.listen.setPlaceholderText("where its workers reach this host")
        self.listen.setAccessibleName("Address at which workers find this viewer")
        self.listen.setToolTip(
            "Address at which this viewer is to listen for the workers, such as "
            "tcp://0.0.0.0:5577; if it is empty, the workers are asked. They get the keys over "
            "Dask's own connections, and nobody else gets in"
        )
        self.listen.returnPressed.connect(self._click)
        self.button: QPushButton = QPushButton("Attach")
        self.button.clicked.connect(self._click)
        self.state: QLabel = QLabel("")
        self.state.setWordWrap(True)
        self.state.hide()
        row = QHBoxLayout()
        row.addWidget(self.address, 1)
        row.addWidget(self.button)
        column = QVBoxLayout(self)
        column.setContentsMargins(4, 4, 4, 0)
        column.addLayout(row)
        place = QHBoxLayout()
        place.addWidget(QLabel("Listen at"))
        place.addWidget(self.listen, 1)
        column.addLayout(place)
        column.addWidget(self.state)
        self.changed.connect(self._show)

    def __repr__(self) -> str:
        return f"<AttachBar: {self._attachment}>"

    def close_attachment(self) -> None:
        """Leave the cluster, if one is attached; it may be called when the widget is destroyed."""
        self._gone = True
        if self._attachment is not None:
            threading.Thread(target=self._leave, name="dask-napari-attach", daemon=True).start()

    def _click(self) -> None:
        if not self.button.isEnabled():
            return
        if self._attachment is not None:
            self._work(self._leave)
        elif address := self.address.text().strip():
            self._work(self._attach, address, self.listen.text().strip())
        else:
            self.changed.emit("Give the address of a scheduler, such as tcp://10.0.0.1:8786")

    def _work(self, job: Callable[..., None], *arguments: str) -> None:
        self.button.setEnabled(False)
        threading.Thread(target=job, args=arguments, name="dask-napari-attach", daemon=True).start()

    def _attach(self, address: str, listen: str) -> None:
        try:
            from dask_napari.live import ClusterAttachment

            attachment = ClusterAttachment(address, timeout=self.connect_timeout)
        except Exception as error:  # of Dask's, which may be missing
            self._say(error)
            return
        try:
            endpoint = attachment.endpoint([listen] if listen else [])
            told = endpoint.told(self._listen_at(endpoint.addresses))
            receiver = self._receiver
            attachment.stream_to(receiver.addresses, told, receiver.security)
        except Exception as error:
            attachment.close()
            self._say(error)
            return
        self._attachment = attachment
        if self._gone:
            self._leave()
        self._say("")

    def _listen_at(self, addresses: Iterable[str]) -> list[str]:
        """Listen at addresses, unless the viewer does already; return those, and private ones."""
        receiver = self._receiver
        found = [address for address in receiver.addresses if not address.startswith("tcp://")]
        for address in (address for address in addresses if address.startswith("tcp://")):
            known = next((a for a in receiver.addresses if is_served(address, a)), None)
            if known is None:
                receiver.listen([address])
            found.append(known or receiver.addresses[-1])
        return found

    def _leave(self) -> None:
        if self._attachment is not None:
            self._attachment.close()
        self._attachment = None
        self._say("")

    def _say(self, text: Exception | str) -> None:
        if isinstance(text, Exception):
            logger.warning("the cluster is not attached: %r", text)
        if not self._gone:
            self.changed.emit(str(text)[:TEXT_LIMIT])

    def _show(self, text: str) -> None:
        attached = self._attachment is not None
        self.address.setEnabled(not attached)
        self.listen.setEnabled(not attached)
        self.button.setText("Leave" if attached else "Attach")
        self.button.setEnabled(True)
        self.state.setText(text)
        self.state.setVisible(bool(text))


def is_served(wanted: str, bound: str) -> bool:
    """Return whether a TCP address that is bound is the one wanted, whose port may be any.

    >>> is_served("tcp://127.0.0.1:*", "tcp://127.0.0.1:40001")
    True
    >>> is_served("tcp://0.0.0.0:5577", "tcp://127.0.0.1:5577")
    False
    """
    if not bound.startswith("tcp://"):
        return False
    (host, port), (here, at) = host_and_port(wanted), host_and_port(bound)
    return host == here and port in ("*", "0", at)
