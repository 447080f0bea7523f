"""Packets to ordered bytes of database connections, with every lost byte counted.

`capture` (a live interface) and `pcapfile` (a file or standard input) give frames with a time;
`packets` finds the TCP segment in a frame; `reassembly` puts a connection's segments in order;
`encryption` tells what cannot be read; `flows` keeps the connections and hands their bytes to
decoders that it is given. Only the first two do input and output; for the others time is data.
"""
