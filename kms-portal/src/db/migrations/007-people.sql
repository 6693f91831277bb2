-- What is sold to people, who they are, and what they have.

-- An offer is a set of services. One that is sold no more keeps its row, because subscriptions name it.
CREATE TABLE offers (
    name TEXT PRIMARY KEY,
    title TEXT NOT NULL,
    -- On how many devices a person may use it.
    devices NUMBER NOT NULL
) STRICT;

CREATE TABLE services (
    offer TEXT NOT NULL REFERENCES offers (name),
    name TEXT NOT NULL,
    title TEXT NOT NULL,
    -- Each on a line of its own: services that exclude it, services that it needs, countries where it is not offered.
    excludes TEXT NOT NULL,
    requires TEXT NOT NULL,
    not_in TEXT NOT NULL,
    PRIMARY KEY (offer, name)
) STRICT;

CREATE TABLE people (
    id BYTES PRIMARY KEY,
    -- Whose work account it is; none for a personal account.
    organisation BYTES REFERENCES organisations (id),
    name TEXT NOT NULL,
    -- As it was typed; mail goes here.
    address TEXT NOT NULL,
    -- Two letters, or nothing where it is not known.
    location TEXT NOT NULL,
    added_at NUMBER NOT NULL,
    blocked_at NUMBER,
    deleted_at NUMBER
) STRICT;

CREATE INDEX people_of_organisation ON people (organisation, id);

-- Which person has an address. One address may have a personal account and a work account in each organisation.
CREATE TABLE addresses (
    -- The id of the organisation, or nothing for personal accounts.
    scope BYTES NOT NULL,
    -- In its one form, by which it is compared.
    address TEXT NOT NULL,
    person BYTES NOT NULL REFERENCES people (id),
    PRIMARY KEY (scope, address)
) STRICT;

CREATE INDEX addresses_of_person ON addresses (person);

CREATE TABLE admin_roles (
    person BYTES NOT NULL REFERENCES people (id),
    role TEXT NOT NULL,
    PRIMARY KEY (person, role)
) STRICT;

CREATE TABLE subscriptions (
    id BYTES PRIMARY KEY,
    organisation BYTES NOT NULL REFERENCES organisations (id),
    offer TEXT NOT NULL REFERENCES offers (name),
    seats NUMBER NOT NULL,
    starts_at NUMBER NOT NULL,
    ends_at NUMBER NOT NULL,
    -- How long everything works after the end, and how long administrators still get in after that.
    grace_ms NUMBER NOT NULL,
    held_ms NUMBER NOT NULL,
    renews NUMBER NOT NULL,
    cancelled_at NUMBER,
    disabled_at NUMBER
) STRICT;

CREATE INDEX subscriptions_of_organisation ON subscriptions (organisation, offer);

-- How many seats of an offer are taken. It changes with them, in the same transaction, under the lock of the organisation.
CREATE TABLE pools (
    organisation BYTES NOT NULL REFERENCES organisations (id),
    offer TEXT NOT NULL REFERENCES offers (name),
    taken NUMBER NOT NULL,
    PRIMARY KEY (organisation, offer)
) STRICT;

CREATE TABLE seats (
    person BYTES NOT NULL REFERENCES people (id),
    offer TEXT NOT NULL REFERENCES offers (name),
    organisation BYTES NOT NULL REFERENCES organisations (id),
    since NUMBER NOT NULL,
    by_hand NUMBER NOT NULL,
    -- Services that are switched off, each on a line of its own.
    off TEXT NOT NULL,
    PRIMARY KEY (person, offer)
) STRICT;

CREATE INDEX seats_of_organisation ON seats (organisation, offer, since);

-- The groups that give a seat.
CREATE TABLE seat_groups (
    person BYTES NOT NULL,
    offer TEXT NOT NULL,
    group_id BYTES NOT NULL,
    PRIMARY KEY (person, offer, group_id),
    FOREIGN KEY (person, offer) REFERENCES seats (person, offer)
) STRICT;

-- Data of a person that a service keeps since the person has it no more. It is purged after 30 days.
CREATE TABLE held_data (
    person BYTES NOT NULL REFERENCES people (id),
    service TEXT NOT NULL,
    since NUMBER NOT NULL,
    PRIMARY KEY (person, service)
) STRICT;

CREATE INDEX held_data_by_age ON held_data (since);
