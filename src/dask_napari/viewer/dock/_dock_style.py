"""The style sheet of the dock, by roles of its widgets."""

from __future__ import annotations

from dask_napari.viewer.dock._dock_colours import DockColours, blend, css


def style_sheet(colours: DockColours, font_size: int) -> str:
    """Return rules for the widgets of the dock, whose font size is in points; the rest is napari's.

    napari gives no size to buttons of the dock's kind, nor to the dock itself.
    """
    hover = css(blend(colours.panel, colours.text, 0.15))
    return f"""
        LiveDock, DockButton, TaskBar, LiveDock QLineEdit {{ font-size: {font_size}pt; }}
        TapRow, TapForm {{ background-color: {css(colours.panel)}; border-radius: 3px; }}
        TapRow QLabel, TapForm QLabel, TapDetails, TaskBar {{ background-color: transparent; }}
        QLabel[role="faint"] {{ color: {css(colours.faint)}; }}
        QLabel[role="error"] {{ color: {css(colours.error)}; }}
        QLabel[role="warning"] {{ color: {css(colours.warning)}; }}
        QLabel[role="title"], QLabel[role="heading"] {{ font-weight: bold; }}
        QLabel[role="title"]:hover, QLabel[role="title"]:focus {{ text-decoration: underline; }}
        DockButton {{ background-color: transparent; border: none; padding: 2px; }}
        DockButton:hover, DockButton:focus {{ background-color: {hover}; border-radius: 2px; }}
        DockButton:pressed {{ background-color: {css(colours.waiting)}; }}
        DockButton:checked {{ background-color: {css(colours.waiting)}; border-radius: 2px; }}
        DockButton::menu-indicator {{ image: none; }}
        DockButton[role="link"] {{ color: {css(colours.link)}; }}
        DockButton[role="link"]:disabled {{ color: {css(colours.waiting)}; }}
        DockButton[role="error"] {{ color: {css(colours.error)}; }}
    """
