-- On which devices people use what they have.

-- The product that a service licenses, and its features beside it. A service of this name is the same in every offer.
CREATE TABLE service_products (
    service TEXT PRIMARY KEY,
    product BYTES NOT NULL REFERENCES products (id),
    -- Each on a line of its own.
    features TEXT NOT NULL
) STRICT;

CREATE INDEX services_of_product ON service_products (product);

-- A machine with a product, on which a person is signed in.
CREATE TABLE devices (
    id BYTES PRIMARY KEY,
    person BYTES NOT NULL REFERENCES people (id),
    product BYTES NOT NULL REFERENCES products (id),
    machine BYTES NOT NULL,
    -- Its hardware: an encoded kms.vendor.v1.Parts.
    parts BYTES NOT NULL,
    -- How its owner calls it.
    label TEXT NOT NULL,
    signed_in_at NUMBER NOT NULL,
    -- When it asked last, by the portal's clock.
    seen_at NUMBER NOT NULL,
    -- Name and time of its last ask, by its own clock.
    nonce BYTES NOT NULL,
    asked_at NUMBER NOT NULL,
    UNIQUE (machine, product)
) STRICT;

CREATE INDEX devices_of_person ON devices (person, product);

-- Codes that machines show. Both codes are digests: whoever reads the database lets nobody in.
CREATE TABLE sign_in_codes (
    device_code BYTES PRIMARY KEY,
    user_code BYTES NOT NULL UNIQUE,
    machine BYTES NOT NULL,
    product BYTES NOT NULL,
    -- The name of the ask that began it.
    nonce BYTES NOT NULL,
    label TEXT NOT NULL,
    -- From where the machine asked.
    source TEXT NOT NULL,
    made_at NUMBER NOT NULL,
    interval_ms NUMBER NOT NULL,
    asked_at NUMBER,
    -- 0 nothing, 1 approved, 2 denied, 3 used
    decided NUMBER NOT NULL,
    person BYTES REFERENCES people (id)
) STRICT;

CREATE INDEX sign_in_codes_by_age ON sign_in_codes (made_at);
CREATE INDEX sign_in_codes_of_source ON sign_in_codes (source, made_at);
