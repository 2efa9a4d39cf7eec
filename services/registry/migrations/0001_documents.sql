-- Every kept version of every document; the newest is the one in force.
CREATE TABLE document_versions (
    name TEXT NOT NULL,
    version BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    updated_by TEXT NOT NULL,
    value TEXT NOT NULL,
    CONSTRAINT document_versions_pkey PRIMARY KEY (name, version),
    CONSTRAINT document_versions_version_check CHECK (version >= 1)
);
