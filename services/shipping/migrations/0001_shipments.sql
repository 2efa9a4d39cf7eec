-- One parcel for each confirmed order, and how far it has come.
CREATE TABLE shipments (
    -- UUIDv7: sorts by when the confirmation came.
    id TEXT NOT NULL,
    order_id TEXT NOT NULL,
    member_id TEXT NOT NULL,
    state TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    dispatched_at BIGINT,
    delivered_at BIGINT,
    CONSTRAINT shipments_pkey PRIMARY KEY (id),
    CONSTRAINT shipments_state_check CHECK (state IN ('preparing', 'dispatched', 'delivered'))
);

-- An order whose confirmation comes twice has one shipment.
CREATE UNIQUE INDEX shipments_order_key ON shipments (order_id);

-- The next move of each shipment that is under way; the row goes with the last.
CREATE TABLE moves (
    shipment_id TEXT NOT NULL,
    -- The lease under which an instance makes it; null while it waits for its time.
    owner TEXT,
    -- When any instance may make it: its time, or the end of the owner's lease.
    due_at BIGINT NOT NULL,
    -- When it was to be made.
    planned_at BIGINT NOT NULL,
    -- Trace context of what brought the confirmation, and of the last move.
    trace TEXT NOT NULL,
    moved_by TEXT NOT NULL,
    CONSTRAINT moves_pkey PRIMARY KEY (shipment_id),
    CONSTRAINT moves_shipment_fkey FOREIGN KEY (shipment_id) REFERENCES shipments (id)
);

CREATE INDEX moves_by_due_at ON moves (due_at);
