-- One product: every unit that ever came in is on hand, held for an order, or sold. A product that
-- was never touched has no row.
CREATE TABLE stock (
    product_id TEXT NOT NULL,
    initial BIGINT NOT NULL,
    -- What admins added since, less what they took away.
    adjusted BIGINT NOT NULL,
    -- What can still be promised.
    on_hand BIGINT NOT NULL,
    held BIGINT NOT NULL,
    sold BIGINT NOT NULL,
    CONSTRAINT stock_pkey PRIMARY KEY (product_id),
    CONSTRAINT stock_initial_check CHECK (initial >= 0),
    CONSTRAINT stock_on_hand_check CHECK (on_hand >= 0),
    CONSTRAINT stock_held_check CHECK (held >= 0),
    CONSTRAINT stock_sold_check CHECK (sold >= 0),
    CONSTRAINT stock_balance_check CHECK (initial + adjusted = on_hand + held + sold)
);

CREATE TABLE reservations (
    order_id TEXT NOT NULL,
    state TEXT NOT NULL,
    -- JSON: written once, and always read whole. A release that came before its reservation has
    -- none, and no expiry.
    items TEXT NOT NULL,
    expires_at BIGINT,
    CONSTRAINT reservations_pkey PRIMARY KEY (order_id),
    CONSTRAINT reservations_state_check
        CHECK (state IN ('held', 'confirmed', 'released', 'expired')),
    CONSTRAINT reservations_expiry_check CHECK (state = 'released' OR expires_at IS NOT NULL)
);

CREATE INDEX reservations_due ON reservations (expires_at) WHERE state = 'held';
CREATE INDEX stock_with_holds ON stock (held) WHERE held > 0;
