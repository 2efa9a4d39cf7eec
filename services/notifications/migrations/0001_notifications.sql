-- Whom to write to, as users said.
CREATE TABLE members (
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    email TEXT NOT NULL,
    CONSTRAINT members_pkey PRIMARY KEY (id)
);

CREATE TABLE notifications (
    id TEXT NOT NULL,
    kind TEXT NOT NULL,
    -- The order, or for a welcome the member.
    about TEXT NOT NULL,
    member_id TEXT NOT NULL,
    -- As it was told: a name that is learned later changes nothing.
    text_ko TEXT NOT NULL,
    text_en TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    -- The trace in which it was caused, so that the sending goes on in it.
    trace TEXT NOT NULL,
    -- Numbers the claims on this row to send it: only the last may put it off or give it up.
    attempts BIGINT NOT NULL,
    -- When it is to be sent, again; null once it was sent or given up.
    due_at BIGINT,
    sent_at BIGINT,
    given_up_at BIGINT,
    -- What came of the last attempt, unless it was sent.
    reason TEXT,
    CONSTRAINT notifications_pkey PRIMARY KEY (id),
    CONSTRAINT notifications_kind_check CHECK (
        kind IN (
            'welcome', 'order_confirmed', 'order_cancelled', 'payment_refunded',
            'shipment_dispatched', 'shipment_delivered'
        )
    ),
    CONSTRAINT notifications_due_check CHECK (
        (due_at IS NULL) = (sent_at IS NOT NULL OR given_up_at IS NOT NULL)
    )
);

-- An event that comes twice tells once.
CREATE UNIQUE INDEX notifications_kind_about_key ON notifications (kind, about);
CREATE INDEX notifications_member_id_idx ON notifications (member_id, id);
CREATE INDEX notifications_due_at_idx ON notifications (due_at) WHERE due_at IS NOT NULL;
