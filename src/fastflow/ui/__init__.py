"""The web interface: pages over the kernel's services, on the same server as the API.

Importing this package costs nothing: NiceGUI is imported when the first page is asked for (`interface.py`).
"""
