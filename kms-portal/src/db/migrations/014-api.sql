-- Programs that act for an organisation over HTTP.

CREATE TABLE api_tokens (
    id BYTES PRIMARY KEY,
    organisation BYTES NOT NULL REFERENCES organisations (id),
    -- What its people call it.
    name TEXT NOT NULL,
    -- SHA-256 of the token, which has 256 random bits. The token itself is nowhere.
    digest BYTES NOT NULL UNIQUE,
    -- Each on a line of its own.
    roles TEXT NOT NULL,
    -- The person whose rights bound it, and who may be gone; none for the vendor's staff.
    made_by BYTES,
    made_at NUMBER NOT NULL,
    ends_at NUMBER,
    revoked_at NUMBER,
    -- To the hour, so that not every call writes.
    used_at NUMBER
) STRICT;

CREATE INDEX api_tokens_of_organisation ON api_tokens (organisation, made_at);

-- Calls that are carried out once, by the key that the program has given each. They are kept for a day.
CREATE TABLE api_calls (
    token BYTES NOT NULL REFERENCES api_tokens (id),
    call_key TEXT NOT NULL,
    -- SHA-256 of the request.
    request BYTES NOT NULL,
    started_at NUMBER NOT NULL,
    -- None while it is carried out.
    status NUMBER,
    answer BYTES NOT NULL,
    PRIMARY KEY (token, call_key)
) STRICT;

CREATE INDEX api_calls_by_age ON api_calls (token, started_at);
