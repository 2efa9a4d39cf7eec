CREATE TABLE charges (
    -- The caller's key, and the reference under which the bank knows the charge.
    key TEXT NOT NULL,
    -- What is to be charged; all of it is null if the key was voided before anyone charged it.
    order_id TEXT,
    member_id TEXT,
    amount BIGINT,
    currency TEXT,
    state TEXT NOT NULL,
    -- The one charge at the bank that counts. Once known it never changes.
    bank_id TEXT,
    -- Numbers the claims on this row: only the last may act on it.
    attempt BIGINT NOT NULL,
    -- The instance that made the last claim.
    owner TEXT NOT NULL,
    -- When the claim is over and the next may be made; null once the row is settled.
    due_at BIGINT,
    -- When the bank is asked whether it agrees; null when it was asked often enough.
    check_at BIGINT,
    checks BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    CONSTRAINT charges_pkey PRIMARY KEY (key),
    CONSTRAINT charges_state_check CHECK (
        state IN ('asked', 'captured', 'declined', 'voiding', 'refunding', 'refunded', 'voided')
    ),
    CONSTRAINT charges_amount_check CHECK (amount > 0),
    CONSTRAINT charges_due_check CHECK (
        (due_at IS NOT NULL) = (state IN ('asked', 'voiding', 'refunding'))
    ),
    CONSTRAINT charges_captured_check CHECK (state <> 'captured' OR bank_id IS NOT NULL)
);

CREATE INDEX charges_due_at ON charges (due_at);
CREATE INDEX charges_check_at ON charges (check_at);
