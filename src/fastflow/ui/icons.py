"""The drawings of the interface: strokes on a grid of 16, in the colour of the text around them."""

from fastflow.ui.markup import Html

_PATHS = {
    "overview": "M2.5 8.5 8 3l5.5 5.5M4 7.5v5.5h3V10h2v3h3V7.5",
    "pipelines": "M3 4.5h4M3 8h10M3 11.5h7M10 4.5h3M13 11.5h0",
    "runs": "M5 3.5v9l7.5-4.5z",
    "flow": "M2.5 6.5h4v3h-4zM9.5 2.5h4v3h-4zM9.5 10.5h4v3h-4zM6.500 8H8M8 8V4h1.500M8 8v4h1.500",
    "search": "M7 11.5a4.5 4.5 0 1 0 0-9 4.5 4.5 0 0 0 0 9zM10.5 10.5l3 3",
    "sun": "M8 10.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5zM8 1.5v1.5M8 13v1.5M1.5 8H3M13 8h1.5M3.4 3.4l1 1M11.6 11.6l1 1M12.6 3.4l-1 1M4.4 11.6l-1 1",
    "language": "M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12zM2 8h12M8 2c2 2 2.5 4 2.5 6S10 12 8 14M8 2C6 4 5.500 6 5.500 8S6 12 8 14",
    "leave": "M6.500 13.500H3v-11h3.500M10 11l3-3-3-3M13 8H6",
    "menu": "M2.500 4.500h11M2.500 8h11M2.500 11.500h11",
    "play": "M5 3.500v9l7-4.500z",
    "stop": "M4.500 4.500h7v7h-7z",
    "again": "M13 8a5 5 0 1 1-1.600-3.700M13 2.500v2.500h-2.500",
    "download": "M8 2.500v7.500M5 7.500l3 3 3-3M3 13.500h10",
    "down": "M4 6.500l4 4 4-4",
    "link": "M6.500 9.500l3-3M7 5l1.500-1.500a2.500 2.500 0 0 1 3.500 3.500L10.500 8.500M9 11l-1.500 1.500A2.500 2.500 0 0 1 4 9L5.500 7.500",
    "clock": "M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12zM8 5v3.300l2 1.200",
    "alert": "M8 2.500l6 10.500H2zM8 6.500v3M8 11.300v.2",
    "check": "M3.500 8.500l3 3 6-7",
    "close": "M4 4l8 8M12 4l-8 8",
    "audit": "M4 2.500h8v11H4zM6 5.500h4M6 8h4M6 10.500h2",
    "settings": "M3 4.500h5M11 4.500h2M9.500 3v3M3 8h2M8 8h5M6.500 6.500v3M3 11.500h6M12 11.500h1M10.500 10v3",
    "doctor": "M2.500 8.500h2.500l1.500-4 3 7 1.500-3h2.500",
    "users": "M6 7.500a2.300 2.300 0 1 0 0-4.600 2.300 2.300 0 0 0 0 4.600zM2 13c0-2.500 1.700-4 4-4s4 1.500 4 4M10.500 3.200a2.300 2.300 0 0 1 0 4.200M11.500 9.300c1.600.5 2.500 1.800 2.500 3.700",
    "person": "M8 7.500a2.500 2.500 0 1 0 0-5 2.500 2.500 0 0 0 0 5zM3.500 13.500c0-2.700 1.900-4.300 4.500-4.300s4.500 1.600 4.500 4.300",
    "key": "M6 13a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM8.200 7.800 13 3M11 5l1.800 1.800",
    "plus": "M8 3.500v9M3.500 8h9",
    "shield": "M8 2l5 2v4c0 3-2 5-5 6-3-1-5-3-5-6V4z",
    "table": "M2.500 3.500h11v9h-11zM2.500 6.500h11M6.500 6.500v6",
    "file": "M4 2h5l3 3v9H4zM9 2v3h3",
    "sync": "M3 7a5 5 0 0 1 9-2.500M12.500 2v3h-3M13 9a5 5 0 0 1-9 2.500M3.500 14v-3h3",
    "letter": "M2.500 4h11v8.500h-11zM2.500 4.500 8 9l5.500-4.500",
    "pencil": "M3 13l.7-3L11 2.700 13.300 5 6 12.300zM9.500 4.200l2.300 2.300",
    "pause": "M5.500 3.500v9M10.500 3.500v9",
    "trash": "M3 4.500h10M6.500 4.500V3h3v1.500M4.500 4.500l.5 8.500h6l.5-8.500",
    "bell": "M4 11.500V7a4 4 0 0 1 8 0v4.500l1 1H3zM6.800 14.500h2.400",
    "daemon": "M2.500 3h11v4h-11zM2.500 9h11v4h-11zM5 5h.2M5 11h.2M8 5h3M8 11h3",
    "experiment": "M6 2.500h4M6.700 2.500v4L3 13.500h10L9.300 6.500v-4M5 10h6",
    "back": "M6 4 3 7l3 3M3.500 7H10a3 3 0 0 1 0 6H7",
}


def icon(name: str, cls: str = "") -> Html:
    """A drawing; it says nothing to those who do not see it."""
    return Html(
        f'<svg class="icon {cls}" viewBox="0 0 16 16" width="16" height="16" fill="none" stroke="currentColor" '
        f'stroke-width="1.5" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">'
        f'<path d="{_PATHS[name]}"/></svg>'
    )


def mark() -> Html:
    """The product's mark."""
    return Html(
        '<svg class="mark" viewBox="0 0 24 24" width="22" height="22" aria-hidden="true">'
        '<rect width="24" height="24" rx="6" fill="currentColor"/>'
        '<path d="M6 8h8M6 12h12M6 16h6" stroke="var(--surface)" stroke-width="2" stroke-linecap="round" fill="none"/></svg>'
    )
