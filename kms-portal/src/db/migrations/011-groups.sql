-- Groups of an organisation's people, and what each of them gives.

CREATE TABLE people_groups (
    id BYTES PRIMARY KEY,
    organisation BYTES NOT NULL REFERENCES organisations (id),
    name TEXT NOT NULL,
    made_at NUMBER NOT NULL,
    UNIQUE (organisation, name)
) STRICT;

CREATE TABLE group_members (
    group_id BYTES NOT NULL REFERENCES people_groups (id),
    person BYTES NOT NULL REFERENCES people (id),
    since NUMBER NOT NULL,
    PRIMARY KEY (group_id, person)
) STRICT;

CREATE INDEX group_members_of_person ON group_members (person);

CREATE TABLE group_offers (
    group_id BYTES NOT NULL REFERENCES people_groups (id),
    offer TEXT NOT NULL REFERENCES offers (name),
    -- Services that are switched off, each on a line of its own.
    off TEXT NOT NULL,
    since NUMBER NOT NULL,
    PRIMARY KEY (group_id, offer)
) STRICT;

-- Members who do not have what a group gives.
CREATE TABLE group_waiting (
    person BYTES NOT NULL REFERENCES people (id),
    offer TEXT NOT NULL REFERENCES offers (name),
    organisation BYTES NOT NULL REFERENCES organisations (id),
    since NUMBER NOT NULL,
    -- Whether another seat is all that it takes.
    for_a_seat NUMBER NOT NULL,
    PRIMARY KEY (person, offer)
) STRICT;

CREATE INDEX group_waiting_by_age ON group_waiting (organisation, offer, for_a_seat, since, person);
