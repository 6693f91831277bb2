-- Codes that are read aloud. A machine that asks by one says no more of itself than a digest of 10 bytes (protocol.md 12): until it comes
-- online, that stands in `machine`, and the confirmation id in letters stands in `confirmation`.
ALTER TABLE places ADD COLUMN digest BYTES;

-- Of the places of a key that are taken, an installation has one.
CREATE UNIQUE INDEX places_of_installation ON places (digest, key) WHERE freed_at IS NULL;
CREATE INDEX places_by_digest ON places (digest);

-- The terms that were sold with a host key, as their file has them. A host by codes is confirmed under one of them.
CREATE TABLE host_terms (
    key BYTES NOT NULL REFERENCES keys (number),
    -- From 1.
    number NUMBER NOT NULL,
    terms BYTES NOT NULL,
    made_at NUMBER NOT NULL,
    PRIMARY KEY (key, number)
) STRICT;
