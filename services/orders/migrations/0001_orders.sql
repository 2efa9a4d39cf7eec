-- Which orders there are, and whose. All else about an order is in its log.
CREATE TABLE orders (
    -- UUIDv7: sorts by when the order was placed.
    id TEXT NOT NULL,
    member_id TEXT NOT NULL,
    CONSTRAINT orders_pkey PRIMARY KEY (id)
);

CREATE INDEX orders_by_member ON orders (member_id, id);

-- The log of each order. Rows are added, never changed. Of two drivers of one saga that both add
-- the next event one wins: the primary key is the fence between them.
CREATE TABLE order_events (
    order_id TEXT NOT NULL,
    seq BIGINT NOT NULL,
    at BIGINT NOT NULL,
    event TEXT NOT NULL,
    CONSTRAINT order_events_pkey PRIMARY KEY (order_id, seq),
    CONSTRAINT order_events_order_fkey FOREIGN KEY (order_id) REFERENCES orders (id),
    CONSTRAINT order_events_seq_check CHECK (seq > 0)
);

-- Sagas that have not ended; the row goes with the event that ends the order.
CREATE TABLE sagas (
    order_id TEXT NOT NULL,
    -- The lease under which an instance drives it; null while it waits for its next try.
    owner TEXT,
    -- When any instance may take it: the end of the owner's lease, or the time of the next try.
    due_at BIGINT NOT NULL,
    -- Tries of the present step that did not settle it.
    attempts BIGINT NOT NULL,
    started_at BIGINT NOT NULL,
    -- Trace context of the request that placed the order, and of the span that drove it last.
    trace TEXT NOT NULL,
    driven_by TEXT NOT NULL,
    CONSTRAINT sagas_pkey PRIMARY KEY (order_id),
    CONSTRAINT sagas_order_fkey FOREIGN KEY (order_id) REFERENCES orders (id)
);

CREATE INDEX sagas_by_due_at ON sagas (due_at);
CREATE INDEX sagas_by_started_at ON sagas (started_at);

-- What was answered to whom under which key. Written with the order itself, so a key under which
-- nothing was started is free.
CREATE TABLE idempotency_keys (
    member_id TEXT NOT NULL,
    key TEXT NOT NULL,
    -- SHA-256 of what was asked for.
    fingerprint TEXT NOT NULL,
    order_id TEXT NOT NULL,
    -- Null until the first request is answered.
    status BIGINT,
    body TEXT,
    -- When whoever placed the order has answered, or never will.
    answer_by BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    CONSTRAINT idempotency_keys_pkey PRIMARY KEY (member_id, key),
    CONSTRAINT idempotency_keys_order_fkey FOREIGN KEY (order_id) REFERENCES orders (id)
);

CREATE UNIQUE INDEX idempotency_keys_order_key ON idempotency_keys (order_id);
CREATE INDEX idempotency_keys_by_expires_at ON idempotency_keys (expires_at);
