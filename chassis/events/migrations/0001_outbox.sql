-- What this service has published. A row is written in the transaction of the change that it
-- tells of; its position is given by whoever reads.
CREATE TABLE outbox (
    id TEXT NOT NULL CONSTRAINT outbox_pkey PRIMARY KEY,
    -- Null until it is numbered; then without gaps.
    position BIGINT,
    subject TEXT NOT NULL,
    -- Orders the events of one subject.
    version BIGINT NOT NULL,
    type TEXT NOT NULL,
    time BIGINT NOT NULL,
    -- About as many as it takes in a batch. Before the body, as they are read without it.
    bytes BIGINT NOT NULL,
    -- All bytes that were numbered up to this row's end.
    bytes_end BIGINT,
    traceparent TEXT,
    tracestate TEXT,
    data TEXT NOT NULL
);

CREATE UNIQUE INDEX outbox_subject_version_key ON outbox (subject, version);
CREATE UNIQUE INDEX outbox_position_key ON outbox (position);
CREATE INDEX outbox_unpublished ON outbox (subject, version) WHERE position IS NULL;

-- One row. Whoever numbers holds it.
CREATE TABLE feed_head (
    only BIGINT NOT NULL CONSTRAINT feed_head_pkey PRIMARY KEY
        CONSTRAINT feed_head_only_check CHECK (only = 1),
    -- Of the newest event.
    position BIGINT NOT NULL,
    -- All bytes that were ever numbered.
    bytes BIGINT NOT NULL,
    -- The newest event that retention took, if it took any.
    truncated_position BIGINT NOT NULL,
    truncated_id TEXT
);

INSERT INTO feed_head (only, position, bytes, truncated_position) VALUES (1, 0, 0, 0);
