-- How people sign in.

-- `organisation`; `household`, for what one person has bought for themselves.
ALTER TABLE organisations ADD COLUMN kind TEXT NOT NULL DEFAULT 'organisation';

-- The tag of the language in which a person reads mail, or nothing where it is not known.
ALTER TABLE people ADD COLUMN language TEXT NOT NULL DEFAULT '';
-- When a link that was mailed to the address was last used. Until then nobody has shown that it is theirs.
ALTER TABLE people ADD COLUMN confirmed_at NUMBER;

CREATE INDEX addresses_by_address ON addresses (address);

-- What a person signs in with.
CREATE TABLE credentials (
    person BYTES NOT NULL REFERENCES people (id),
    kind TEXT NOT NULL,
    -- Tells several of one kind apart; a person has one password, without a name.
    name TEXT NOT NULL,
    -- Of a password its Argon2id hash, with salt and cost.
    secret TEXT NOT NULL,
    made_at NUMBER NOT NULL,
    PRIMARY KEY (person, kind, name)
) STRICT;

CREATE TABLE sessions (
    -- SHA-256 of the cookie.
    digest BYTES PRIMARY KEY,
    person BYTES NOT NULL REFERENCES people (id),
    made_at NUMBER NOT NULL,
    seen_at NUMBER NOT NULL,
    ends_at NUMBER NOT NULL,
    -- When the person last showed who they are.
    proved_at NUMBER NOT NULL,
    -- Where they signed in from.
    source TEXT NOT NULL
) STRICT;

CREATE INDEX sessions_of_person ON sessions (person, seen_at);
CREATE INDEX sessions_by_end ON sessions (ends_at);

-- Links that were mailed. Each is used once.
CREATE TABLE links (
    -- SHA-256 of what the link has.
    digest BYTES PRIMARY KEY,
    purpose TEXT NOT NULL,
    -- None where it makes a new account.
    person BYTES REFERENCES people (id),
    -- To which it was mailed, as it was typed and in its one form.
    address TEXT NOT NULL,
    canonical TEXT NOT NULL,
    made_at NUMBER NOT NULL,
    ends_at NUMBER NOT NULL,
    used_at NUMBER
) STRICT;

CREATE INDEX links_of_address ON links (canonical, made_at);
CREATE INDEX links_of_person ON links (person);
CREATE INDEX links_by_end ON links (ends_at);

-- Digests of sources from which a person has signed in.
CREATE TABLE known_sources (
    person BYTES NOT NULL REFERENCES people (id),
    source BYTES NOT NULL,
    seen_at NUMBER NOT NULL,
    PRIMARY KEY (person, source)
) STRICT;

-- Wrong passwords in a row: of one source, or of all together, which has no digest.
CREATE TABLE wrong_guesses (
    person BYTES NOT NULL REFERENCES people (id),
    source BYTES NOT NULL,
    times NUMBER NOT NULL,
    last_at NUMBER NOT NULL,
    PRIMARY KEY (person, source)
) STRICT;
