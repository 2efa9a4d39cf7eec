-- Products of which inventory has none on hand; all others count as in stock. There is no foreign
-- key: inventory does not know which products exist.
CREATE TABLE sold_out (
    product_id TEXT NOT NULL,
    CONSTRAINT sold_out_pkey PRIMARY KEY (product_id)
);
