-- How far this service has come in the feeds that it follows.
CREATE TABLE event_cursors (
    -- The service that publishes.
    feed TEXT NOT NULL CONSTRAINT event_cursors_pkey PRIMARY KEY,
    -- Of the last event that was handled, passed over or parked.
    position BIGINT NOT NULL,
    event_id TEXT,
    -- Which instance follows the feed, and until when no other needs to.
    lease_owner TEXT,
    lease_until BIGINT NOT NULL,
    -- Of the newest event, as far as it was heard of.
    head BIGINT NOT NULL,
    -- When the oldest event that the cursor has not passed was published.
    behind_since BIGINT,
    -- Why it cannot go on until an operator has it rebuilt.
    stalled TEXT
);

-- Events that failed, and those that wait behind them. Rows are only added with the cursor's move.
CREATE TABLE event_parked (
    feed TEXT NOT NULL,
    event_id TEXT NOT NULL,
    subject TEXT NOT NULL,
    position BIGINT NOT NULL,
    state TEXT NOT NULL
        CONSTRAINT event_parked_state_check CHECK (state IN ('retrying', 'waiting', 'dead')),
    attempts BIGINT NOT NULL,
    reason TEXT,
    first_failed_at BIGINT,
    -- When it is tried again, if it is being retried.
    next_at BIGINT NOT NULL,
    -- The event as it came.
    event TEXT NOT NULL,
    CONSTRAINT event_parked_pkey PRIMARY KEY (feed, event_id)
);

CREATE INDEX event_parked_subject ON event_parked (feed, subject, position);
CREATE INDEX event_parked_due ON event_parked (feed, state, next_at);
