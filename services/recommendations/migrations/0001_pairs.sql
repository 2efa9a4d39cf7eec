-- In how many confirmed orders a product was.
CREATE TABLE bought (
    product_id TEXT NOT NULL,
    orders BIGINT NOT NULL,
    CONSTRAINT bought_pkey PRIMARY KEY (product_id),
    CONSTRAINT bought_orders_check CHECK (orders > 0)
);

-- How often two products were in one order. Each pair has a row in either direction, so that one
-- product's pairs stand together in the key.
CREATE TABLE bought_pairs (
    product_id TEXT NOT NULL,
    other_id TEXT NOT NULL,
    count BIGINT NOT NULL,
    -- Position of the last event that counted it: of two as frequent pairs the fresher is kept.
    last BIGINT NOT NULL,
    CONSTRAINT bought_pairs_pkey PRIMARY KEY (product_id, other_id),
    CONSTRAINT bought_pairs_count_check CHECK (count > 0)
);

-- How often two products were looked at by one viewer, one soon after the other.
CREATE TABLE viewed_pairs (
    product_id TEXT NOT NULL,
    other_id TEXT NOT NULL,
    count BIGINT NOT NULL,
    last BIGINT NOT NULL,
    CONSTRAINT viewed_pairs_pkey PRIMARY KEY (product_id, other_id),
    CONSTRAINT viewed_pairs_count_check CHECK (count > 0)
);

-- What a viewer looked at last: distinct products, the newest first, as a JSON array. A row is
-- always read and written whole.
CREATE TABLE viewers (
    viewer TEXT NOT NULL,
    products TEXT NOT NULL,
    CONSTRAINT viewers_pkey PRIMARY KEY (viewer)
);

-- Products that are sold no more. Feeds are read side by side: an order of such a product may be
-- heard of after its end, so answers leave out what stands here.
CREATE TABLE gone (
    product_id TEXT NOT NULL,
    CONSTRAINT gone_pkey PRIMARY KEY (product_id)
);
