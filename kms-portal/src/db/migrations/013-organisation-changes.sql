-- What administrators of an organisation see and search.

-- Whose change it is; none where it concerns the vendor alone. Its digest covers the organisation where there is one.
ALTER TABLE changes ADD COLUMN organisation BYTES;

CREATE INDEX changes_of_organisation ON changes (organisation, number);

-- When a reduction left fewer seats than are taken; none while there are enough.
ALTER TABLE pools ADD COLUMN reduced_at NUMBER;

-- People are listed by name. The text is the one that a search looks through, so the index answers both.
CREATE INDEX people_by_name ON people (organisation, lower(name || ' ' || address), id) WHERE deleted_at IS NULL;
CREATE INDEX people_deleted ON people (organisation, lower(name || ' ' || address), id) WHERE deleted_at IS NOT NULL;

CREATE INDEX seats_of_people ON seats (organisation, person, offer);
