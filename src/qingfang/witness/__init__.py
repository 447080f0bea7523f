"""The witness: another computer, the discipline office's or the region's, that remembers what a log
once said of itself, so that it cannot say otherwise later.

    source    where checkpoints and tiles come from: a door over HTTPS, or a folder on a stick
    looking   what is wrong with a new checkpoint, given the last one; no clock, no files
    book      what this witness has seen, cosigned and raised, in one SQLite file
    rounds    one look at every log: pull, judge, write down, cosign, give back
    office    the office's own keys: certificates for machines, succession
"""
