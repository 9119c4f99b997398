"""Receives files by the tus protocol 1.0.0 (https://tus.io/protocols/resumable-upload), in front of Django.

Django would write a request's whole body to a temporary file before a view runs. Here the bytes go to the uploads
folder as they come, with bounded memory, and what is there after a cut line is where the sender goes on.
"""

from storage.uploads.site import uploads

__all__ = ["uploads"]
