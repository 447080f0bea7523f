"""Inline between clients and a database: `Gateway` (server.py) is a route in one process."""

from qingfang.sense.gateway.contract import Decider, Decoder, DecoderFactory, Leg, Unjudged
from qingfang.sense.gateway.server import Gateway

__all__ = ["Decider", "Decoder", "DecoderFactory", "Gateway", "Leg", "Unjudged"]
