-- Passkeys. A credential of the kind `passkey` has its id as name, and what is verified with as secret.

-- A passkey that is being made or used: what the portal has asked of a browser. Each is answered once.
CREATE TABLE ceremonies (
    -- SHA-256 of the cookie.
    digest BYTES PRIMARY KEY,
    -- Whose passkey is being made; none for a sign-in, which nobody has made yet.
    person BYTES REFERENCES people (id),
    -- Where it was begun.
    source TEXT NOT NULL,
    state TEXT NOT NULL,
    ends_at NUMBER NOT NULL
) STRICT;

CREATE INDEX ceremonies_by_end ON ceremonies (ends_at);
CREATE INDEX ceremonies_of_source ON ceremonies (source);
