-- What leaves the portal: mails, and events for the vendor's services. A row is written in the transaction of the change that it tells of.
CREATE TABLE outbox (
    number NUMBERED,
    -- mail or webhook.
    kind TEXT NOT NULL,
    -- The address of a mail, or the name of the service that is told.
    recipient TEXT NOT NULL,
    -- Of a mail: the tag of its language, and its subject.
    language TEXT NOT NULL,
    subject TEXT NOT NULL,
    -- The text of a mail, or an event as JSON. It is emptied once it was sent.
    body TEXT NOT NULL,
    -- Of the messages with the same queue, one is sent after the other. Mails have none.
    queue TEXT NOT NULL,
    posted_at NUMBER NOT NULL,
    tries NUMBER NOT NULL,
    -- When to try next; none if it was sent or given up.
    next_try_at NUMBER,
    -- What the last try met.
    fault TEXT NOT NULL,
    sent_at NUMBER
) STRICT;

CREATE INDEX outbox_by_next_try ON outbox (next_try_at);
CREATE INDEX outbox_by_queue ON outbox (queue, number);

-- Where a service is told what happens to the people who have it.
CREATE TABLE webhook_targets (
    service TEXT PRIMARY KEY,
    url TEXT NOT NULL,
    -- What its messages are signed with: random bytes.
    secret BYTES NOT NULL
) STRICT;
