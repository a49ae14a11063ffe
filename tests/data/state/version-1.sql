-- The state as version 1 of its tables had it, before there were tags; and one message that both sides have.
CREATE TABLE item (
    number INTEGER PRIMARY KEY,
    folder INTEGER NOT NULL,
    
    local_here INTEGER NOT NULL DEFAULT 0,
    local_id TEXT NOT NULL DEFAULT '',
    local_collection INTEGER NOT NULL DEFAULT -1,
    local_key TEXT NOT NULL DEFAULT '',
    local_revision TEXT NOT NULL DEFAULT '',
    local_flags TEXT NOT NULL DEFAULT '',
    local_place TEXT NOT NULL DEFAULT '',
    local_generation INTEGER NOT NULL DEFAULT 0,
    base_local_revision TEXT NOT NULL DEFAULT '',

    
    remote_here INTEGER NOT NULL DEFAULT 0,
    remote_id TEXT NOT NULL DEFAULT '',
    remote_collection INTEGER NOT NULL DEFAULT -1,
    remote_key TEXT NOT NULL DEFAULT '',
    remote_revision TEXT NOT NULL DEFAULT '',
    remote_flags TEXT NOT NULL DEFAULT '',
    remote_place TEXT NOT NULL DEFAULT '',
    remote_generation INTEGER NOT NULL DEFAULT 0,
    base_remote_revision TEXT NOT NULL DEFAULT '',

    linked INTEGER NOT NULL DEFAULT 0,
    base_collection INTEGER NOT NULL DEFAULT -1,
    base_key TEXT NOT NULL DEFAULT '',
    base_flags TEXT NOT NULL DEFAULT '',
    label TEXT NOT NULL DEFAULT '',
    size INTEGER NOT NULL DEFAULT 0,
    sent INTEGER NOT NULL DEFAULT 0,
    failure TEXT NOT NULL DEFAULT '',
    failed_revision TEXT NOT NULL DEFAULT '',
    failed_at INTEGER NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX local_item ON item (local_collection, local_id) WHERE local_id != '';
CREATE UNIQUE INDEX remote_item ON item (remote_collection, remote_id) WHERE remote_id != '';
CREATE INDEX differing ON item (folder, number) WHERE NOT (linked AND local_here AND remote_here
    AND local_flags = base_flags AND remote_flags = base_flags
    AND local_revision = base_local_revision AND remote_revision = base_remote_revision
    AND local_collection = base_collection AND remote_collection = base_collection
    AND (NOT folder OR (local_key = base_key AND remote_key = base_key)));
CREATE INDEX local_name ON item (local_key) WHERE local_key != '';
CREATE INDEX remote_name ON item (remote_key) WHERE remote_key != '';
CREATE INDEX loose ON item (number) WHERE NOT (linked AND local_here AND remote_here);
CREATE INDEX folders ON item (number) WHERE folder = 1;
CREATE INDEX failed ON item (number) WHERE failure != '';
CREATE INDEX unlisted ON item (remote_collection) WHERE remote_generation = 0 AND remote_here AND linked;
CREATE TABLE cursor (
    side TEXT NOT NULL,
    collection INTEGER NOT NULL,
    cursor TEXT NOT NULL DEFAULT '',
    generation INTEGER NOT NULL DEFAULT 0,
    sweeping INTEGER NOT NULL DEFAULT 0,
    stamp TEXT NOT NULL DEFAULT '',
    stamped_at INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (side, collection)
) WITHOUT ROWID;
CREATE TABLE journal (
    token TEXT PRIMARY KEY,
    side TEXT NOT NULL,
    collection INTEGER NOT NULL,
    number INTEGER NOT NULL,
    source_revision TEXT NOT NULL,
    source_flags TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
INSERT INTO item (number, folder, local_here, local_id, local_collection, local_key, remote_here, remote_id, remote_collection,
    remote_key, linked, base_collection, base_key)
VALUES (1, 1, 1, 'INBOX', 0, 'INBOX', 1, 'F', 0, 'INBOX', 1, 0, 'INBOX');
INSERT INTO item (number, folder, local_here, local_id, local_collection, local_key, local_flags, remote_here, remote_id,
    remote_collection, remote_key, remote_flags, linked, base_collection, base_key, base_flags)
VALUES (2, 0, 1, 'f', 1, '<a>', 'S', 1, 'R', 1, '<a>', 'S', 1, 1, '<a>', 'S');
INSERT INTO journal VALUES ('token', 'remote', 1, 2, '', 'S');
INSERT INTO meta VALUES ('mailbox', 'alice@example.test');
PRAGMA user_version = 1;
