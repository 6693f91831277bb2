-- What the vendor's staff has taken back before its end (protocol.md 11).
CREATE TABLE revoked (
    -- As it stands in the list: of a host certificate, a host or a place, or what stands for all confirmations of a key.
    id BYTES PRIMARY KEY,
    -- key, host, certificate, machine or unlisted.
    kind TEXT NOT NULL,
    -- What it concerns, as staff names it.
    subject TEXT NOT NULL,
    at NUMBER NOT NULL,
    who TEXT NOT NULL,
    reason TEXT NOT NULL,
    -- From when on no list needs it: whatever it takes back has ended by then. The row stays, and goes on to refuse.
    forget_at NUMBER
) STRICT;

-- The newest list of each rank. Whoever signs one locks the row of its rank first, so no two lists have one number.
CREATE TABLE revocation_lists (
    -- issuer or root.
    rank TEXT PRIMARY KEY,
    number NUMBER NOT NULL,
    -- An encoded kms.v1.SignedRevocationList; none before the first.
    list BYTES,
    -- The issuing certificate under which it was signed.
    issuer BYTES,
    issued_at NUMBER NOT NULL,
    -- How many ids it has.
    revoked NUMBER NOT NULL
) STRICT;

INSERT INTO revocation_lists (rank, number, issued_at, revoked) VALUES ('issuer', 0, 0, 0);
INSERT INTO revocation_lists (rank, number, issued_at, revoked) VALUES ('root', 0, 0, 0);

-- Staff names a host certificate by its id.
CREATE INDEX host_chains_by_certificate ON host_chains (certificate);
