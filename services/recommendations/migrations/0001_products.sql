-- Every product that was heard of, and what goes together with it. A list is always read and
-- written whole, and is long at most what the setting says, and as much again: an array of
-- [number of the other product, how often, position of the last event that counted it].
CREATE TABLE products (
    -- Lists know products by it, which is shorter than an id.
    number BIGINT NOT NULL,
    product_id TEXT NOT NULL,
    -- In how many confirmed orders it was.
    orders BIGINT NOT NULL DEFAULT 0,
    -- 1 once it is sold no more. Feeds are read side by side: an order of such a product may be
    -- heard of after its end, so answers leave out what is marked here.
    gone BIGINT NOT NULL DEFAULT 0,
    -- What was in the same orders.
    bought TEXT NOT NULL DEFAULT '[]',
    -- What was looked at by the same viewers, soon before or after.
    viewed TEXT NOT NULL DEFAULT '[]',
    CONSTRAINT products_pkey PRIMARY KEY (number),
    CONSTRAINT products_product_id_key UNIQUE (product_id),
    CONSTRAINT products_orders_check CHECK (orders >= 0),
    CONSTRAINT products_gone_check CHECK (gone IN (0, 1))
);

-- What a viewer looked at last: distinct products, the newest first, as a JSON array. A row is
-- always read and written whole.
CREATE TABLE viewers (
    viewer TEXT NOT NULL,
    products TEXT NOT NULL,
    CONSTRAINT viewers_pkey PRIMARY KEY (viewer)
);
