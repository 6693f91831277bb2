-- What was revoked by mistake can be withdrawn. The row stays: otherwise an older list from a file would bring it back.
ALTER TABLE revoked ADD COLUMN withdrawn_at NUMBER;

-- When the key was revoked with all that it has activated.
ALTER TABLE keys ADD COLUMN revoked_at NUMBER;
