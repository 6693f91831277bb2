-- One text for both databases: BYTES, NUMBER and STRICT stand for what each calls them. A time is milliseconds since the Unix epoch.
-- A migration that has shipped is never changed: the next one is a file of its own, listed in schema.rs.

CREATE TABLE products (
    id BYTES PRIMARY KEY,
    -- The 15 bits by which a product key names it.
    tag NUMBER NOT NULL UNIQUE,
    name TEXT NOT NULL UNIQUE,
    test NUMBER NOT NULL,
    -- Its numbers: an encoded kms.v1.Policy.
    policy BYTES NOT NULL,
    -- Each on a line of its own.
    features TEXT NOT NULL
) STRICT;

CREATE TABLE organisations (
    id BYTES PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    added_at NUMBER NOT NULL
) STRICT;

-- The numbers of a product for one organisation, in place of the product's own.
CREATE TABLE product_numbers (
    product BYTES NOT NULL REFERENCES products (id),
    organisation BYTES NOT NULL REFERENCES organisations (id),
    policy BYTES NOT NULL,
    PRIMARY KEY (product, organisation)
) STRICT;

CREATE TABLE keys (
    -- The public number. The key itself is nowhere.
    number BYTES PRIMARY KEY,
    -- HMAC of the key under a pepper that is kept elsewhere.
    mac BYTES NOT NULL UNIQUE,
    last_group TEXT NOT NULL,
    kind TEXT NOT NULL,
    product BYTES NOT NULL REFERENCES products (id),
    organisation BYTES NOT NULL REFERENCES organisations (id),
    features TEXT NOT NULL,
    seats NUMBER NOT NULL,
    ends_at NUMBER,
    note TEXT NOT NULL,
    issued_at NUMBER NOT NULL,
    blocked_at NUMBER,
    -- How many of its places are taken. It changes with them, in the same transaction: to count them would take a millisecond for each
    -- few thousand.
    taken NUMBER NOT NULL DEFAULT 0
) STRICT;

CREATE INDEX keys_of_organisation ON keys (organisation, product);

-- What a key grants is the sum of these.
CREATE TABLE raises (
    key BYTES NOT NULL REFERENCES keys (number),
    -- From 1.
    number NUMBER NOT NULL,
    quota TEXT NOT NULL,
    more NUMBER NOT NULL,
    at NUMBER NOT NULL,
    who TEXT NOT NULL,
    why TEXT NOT NULL,
    PRIMARY KEY (key, number)
) STRICT;

CREATE TABLE hosts (
    key BYTES NOT NULL REFERENCES keys (number),
    -- Which host of the key, from 1.
    number NUMBER NOT NULL,
    host BYTES NOT NULL,
    activations NUMBER NOT NULL,
    activated_at NUMBER NOT NULL,
    -- The last ask, by the host's clock.
    asked_at NUMBER NOT NULL,
    PRIMARY KEY (key, number),
    UNIQUE (key, host)
) STRICT;

CREATE INDEX hosts_by_id ON hosts (host);

-- The chains that were given to a host: one for each activation, from 1, and the latest renewal as number 0.
CREATE TABLE host_chains (
    key BYTES NOT NULL,
    host NUMBER NOT NULL,
    activation NUMBER NOT NULL,
    nonce BYTES NOT NULL,
    -- The id of the certificate.
    certificate BYTES NOT NULL,
    chain BYTES NOT NULL,
    issued_at NUMBER NOT NULL,
    PRIMARY KEY (key, host, activation),
    FOREIGN KEY (key, host) REFERENCES hosts (key, number)
) STRICT;

-- The machines of a multiple-activation key.
CREATE TABLE places (
    -- Also the id of every confirmation that was signed for it.
    id BYTES PRIMARY KEY,
    key BYTES NOT NULL REFERENCES keys (number),
    since NUMBER NOT NULL,
    machine BYTES NOT NULL,
    fingerprint BYTES,
    board BYTES,
    disk BYTES,
    firmware BYTES,
    confirmed_at NUMBER NOT NULL,
    -- An encoded kms.vendor.v1.SignedConfirmation.
    confirmation BYTES NOT NULL,
    freed_at NUMBER
) STRICT;

CREATE INDEX places_of_key ON places (key, id);
-- Of the places of a key that are taken, a machine has one.
CREATE UNIQUE INDEX places_taken ON places (machine, key) WHERE freed_at IS NULL;
-- A place is looked for by what one machine has, never by its key and never by `freed_at IS NULL`: PostgreSQL plans a statement while
-- the table is small, keeps the plan, and would go on to read every place of a key, or every place that is taken.
CREATE INDEX places_of_machine ON places (machine);
CREATE INDEX places_by_board ON places (board);
CREATE INDEX places_by_disk ON places (disk);
CREATE INDEX places_by_firmware ON places (firmware);

-- The last ask of each machine.
CREATE TABLE machine_asks (
    key BYTES NOT NULL REFERENCES keys (number),
    machine BYTES NOT NULL,
    nonce BYTES NOT NULL,
    -- By the machine's clock.
    asked_at NUMBER NOT NULL,
    PRIMARY KEY (key, machine)
) STRICT;

-- Identities that gave way to another one on the same hardware.
CREATE TABLE superseded (
    place BYTES NOT NULL REFERENCES places (id),
    machine BYTES NOT NULL,
    at NUMBER NOT NULL
) STRICT;

CREATE INDEX superseded_of_place ON superseded (place);

-- Places that were given back, by their machines or by staff, and moves to other hardware, which count as that.
CREATE TABLE releases (
    key BYTES NOT NULL REFERENCES keys (number),
    machine BYTES NOT NULL,
    place BYTES NOT NULL REFERENCES places (id),
    at NUMBER NOT NULL,
    -- left, moved or freed. The last, by staff, is not counted.
    how TEXT NOT NULL
) STRICT;

CREATE INDEX releases_of_key ON releases (key, at);

-- What staff has changed. Each has the digest of the one before (db/changes.rs).
CREATE TABLE changes (
    -- From 1, without gaps.
    number NUMBER PRIMARY KEY,
    at NUMBER NOT NULL,
    who TEXT NOT NULL,
    what TEXT NOT NULL,
    -- What it concerns, as staff names it.
    subject TEXT NOT NULL,
    why TEXT NOT NULL,
    -- SHA-256 of the change before; none for the first.
    previous BYTES
) STRICT;

-- The last change. Whoever records one locks this row first, so changes have one order, whichever portal makes them.
CREATE TABLE last_change (
    number NUMBER NOT NULL,
    digest BYTES
) STRICT;

INSERT INTO last_change (number, digest) VALUES (0, NULL);
