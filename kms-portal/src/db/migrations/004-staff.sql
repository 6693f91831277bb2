-- The vendor's people and programs that ask over the network.

CREATE TABLE tokens (
    -- Who has it, as the changes name them. It is never given away again.
    name TEXT PRIMARY KEY,
    -- SHA-256 of the token, which has 256 random bits. The token itself is nowhere.
    digest BYTES NOT NULL UNIQUE,
    role TEXT NOT NULL,
    issued_at NUMBER NOT NULL,
    ends_at NUMBER,
    revoked_at NUMBER,
    -- To the hour, so that not every call writes.
    used_at NUMBER
) STRICT;

-- Orders of a back office that were answered. Each is answered once, because keys cannot be shown again.
CREATE TABLE orders (
    name TEXT PRIMARY KEY,
    at NUMBER NOT NULL
) STRICT;

-- The order that a key answered; empty if it answered none.
ALTER TABLE keys ADD COLUMN order_name TEXT NOT NULL DEFAULT '';

CREATE INDEX keys_of_order ON keys (order_name);
