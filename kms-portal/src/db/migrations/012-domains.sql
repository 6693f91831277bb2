-- Domains of organisations: what is to be proved, what was proved, and who is together at a domain that nobody administrates.
-- `organisations.kind` may also be `unmanaged`: people at one domain, without an administrator; or `unpaid`: one of them has proved the
-- domain and has bought nothing yet.

-- A token stands in public DNS, so it is no secret and is kept as it is.
CREATE TABLE domain_challenges (
    organisation BYTES NOT NULL REFERENCES organisations (id),
    domain TEXT NOT NULL,
    -- Who is to prove it; nothing for staff.
    person BYTES NOT NULL,
    scope TEXT NOT NULL,
    token TEXT NOT NULL,
    made_at NUMBER NOT NULL,
    looks NUMBER NOT NULL,
    looked_at NUMBER,
    -- When it is looked for next; none once it has ended.
    next_look_at NUMBER,
    PRIMARY KEY (organisation, domain, person)
) STRICT;

CREATE INDEX domain_challenges_by_next_look ON domain_challenges (next_look_at);

CREATE TABLE domains (
    organisation BYTES NOT NULL REFERENCES organisations (id),
    domain TEXT NOT NULL,
    scope TEXT NOT NULL,
    token TEXT NOT NULL,
    proved_at NUMBER NOT NULL,
    -- When the record was last found, and how often it was not since then.
    found_at NUMBER NOT NULL,
    misses NUMBER NOT NULL,
    looked_at NUMBER NOT NULL,
    next_look_at NUMBER,
    -- 1 for the holder, 0 for somebody who has proved it as well.
    holds NUMBER NOT NULL,
    -- What the administrators were last told: nothing, `doubtful` or `lapsed`; of a challenger `staff` once people have to decide.
    told TEXT NOT NULL,
    PRIMARY KEY (organisation, domain)
) STRICT;

CREATE UNIQUE INDEX one_holder_of_a_domain ON domains (domain) WHERE holds = 1;
CREATE INDEX domains_by_name ON domains (domain, organisation);
CREATE INDEX domains_by_next_look ON domains (next_look_at);

CREATE TABLE unmanaged_domains (
    domain TEXT PRIMARY KEY,
    organisation BYTES NOT NULL UNIQUE REFERENCES organisations (id)
) STRICT;
