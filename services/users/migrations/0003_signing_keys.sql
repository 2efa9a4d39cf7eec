-- A key is made and published, then used for signing (activated_at), then only for verifying
-- until the last token it signed has expired (retired_until).
CREATE TABLE signing_keys (
    kid TEXT NOT NULL,
    private_key TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    activated_at BIGINT,
    retired_until BIGINT,
    CONSTRAINT signing_keys_pkey PRIMARY KEY (kid),
    CONSTRAINT signing_keys_order_check CHECK (retired_until IS NULL OR activated_at IS NOT NULL)
);

-- Whoever changes keys or clears up locks this one row first, so that replicas take turns.
CREATE TABLE maintenance (
    id BIGINT NOT NULL,
    taken_at BIGINT NOT NULL,
    CONSTRAINT maintenance_pkey PRIMARY KEY (id),
    CONSTRAINT maintenance_one_row_check CHECK (id = 1)
);

INSERT INTO maintenance (id, taken_at) VALUES (1, 0);
