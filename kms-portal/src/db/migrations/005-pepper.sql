-- One row: the mark of the pepper under which keys are looked up. Under another pepper, no key that was sold would be found.
CREATE TABLE pepper (
    one NUMBER PRIMARY KEY,
    mark BYTES NOT NULL
) STRICT;
