"""From a sensor's machine to the ledger that is kept elsewhere.

wire          what is said between the two, and who may say it
certificates  self-signed, pinned by their SHA-256
outgoing      a spool's records → shipments; no input or output
courier       one HTTPS connection to the door
shipper       the sensor's side: reads the spool, ships, clears what is no longer needed
intake        the ledger's side: takes each record once, in order
door          HTTP in front of a ledger: shipments, cosignatures, the public files
"""
