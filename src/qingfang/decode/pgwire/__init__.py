"""PostgreSQL's wire protocol 3, both ways, without input/output: start with session.py."""

from qingfang.decode.pgwire.frames import SSL_REQUEST_PACKET, ClientBroke, ServerBroke
from qingfang.decode.pgwire.session import MAX_SQL, Inline, Passive

__all__ = ["MAX_SQL", "SSL_REQUEST_PACKET", "ClientBroke", "Inline", "Passive", "ServerBroke"]
