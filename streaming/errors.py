"""This package's branch of the error tree."""

from __future__ import annotations

from reconstruction.errors import ImmersiveError


class AssetFormatError(ImmersiveError, ValueError):
    """Bytes or a file that claim to be a splat asset break a rule of their format."""

    code = "bad_asset"


class ProtocolError(ImmersiveError, ValueError):
    """A wire message breaks the protocol; the connection that sent it is closed."""

    code = "bad_message"
