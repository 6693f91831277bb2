-- Keys by which a subscription begins, and what people have bought for themselves.

CREATE TABLE subscription_keys (
    -- The public number. The key itself is nowhere.
    number BYTES PRIMARY KEY,
    -- HMAC of the key under a pepper that is kept elsewhere.
    mac BYTES NOT NULL UNIQUE,
    offer TEXT NOT NULL REFERENCES offers (name),
    seats NUMBER NOT NULL,
    -- How long the subscription lasts.
    term_ms NUMBER NOT NULL,
    note TEXT NOT NULL,
    issued_at NUMBER NOT NULL,
    blocked_at NUMBER,
    redeemed_at NUMBER,
    -- What came of it.
    subscription BYTES REFERENCES subscriptions (id)
) STRICT;

-- A household is an organisation of the kind `household`: what one person has bought for themselves, and who shares it.
CREATE TABLE household_members (
    household BYTES NOT NULL REFERENCES organisations (id),
    person BYTES NOT NULL REFERENCES people (id),
    -- Whether it is this person who has bought.
    owner NUMBER NOT NULL,
    since NUMBER NOT NULL,
    PRIMARY KEY (household, person)
) STRICT;

CREATE UNIQUE INDEX household_of_owner ON household_members (person) WHERE owner = 1;
CREATE INDEX households_of_person ON household_members (person);

-- What a link shares that was mailed to somebody who is to have a seat.
CREATE TABLE shares (
    link BYTES PRIMARY KEY REFERENCES links (digest),
    subscription BYTES NOT NULL REFERENCES subscriptions (id)
) STRICT;
