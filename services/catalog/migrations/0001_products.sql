CREATE TABLE categories (
    id TEXT NOT NULL,
    position BIGINT NOT NULL,
    name_ko TEXT NOT NULL,
    name_en TEXT NOT NULL,
    CONSTRAINT categories_pkey PRIMARY KEY (id)
);

INSERT INTO categories (id, position, name_ko, name_en) VALUES
    ('electronics', 1, '전자제품', 'Electronics'),
    ('kitchen', 2, '주방용품', 'Kitchen'),
    ('home', 3, '홈·인테리어', 'Home'),
    ('fashion', 4, '패션', 'Fashion'),
    ('beauty', 5, '뷰티', 'Beauty'),
    ('sports', 6, '스포츠', 'Sports'),
    ('books', 7, '도서', 'Books'),
    ('toys', 8, '장난감', 'Toys'),
    ('food', 9, '식품', 'Food'),
    ('stationery', 10, '문구', 'Stationery');

-- Counts every change of a product. Whoever changes one takes its number here first, so numbers
-- are in the order of commits: a reader that has seen number n never misses a smaller one.
CREATE TABLE catalog_head (
    id BIGINT NOT NULL,
    revision BIGINT NOT NULL,
    CONSTRAINT catalog_head_pkey PRIMARY KEY (id),
    CONSTRAINT catalog_head_one_row CHECK (id = 1)
);

INSERT INTO catalog_head (id, revision) VALUES (1, 0);

CREATE TABLE products (
    id TEXT NOT NULL,
    name_ko TEXT NOT NULL,
    name_en TEXT NOT NULL,
    description_ko TEXT NOT NULL,
    description_en TEXT NOT NULL,
    category TEXT NOT NULL,
    price_amount BIGINT NOT NULL,
    price_currency TEXT NOT NULL,
    version BIGINT NOT NULL,
    -- Number of the first change: the product's place in listings, for good.
    position BIGINT NOT NULL,
    -- Number of the last change.
    revision BIGINT NOT NULL,
    -- A deleted product stays as a tombstone, so that every replica learns of it.
    deleted BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    CONSTRAINT products_pkey PRIMARY KEY (id),
    CONSTRAINT products_category_fkey FOREIGN KEY (category) REFERENCES categories (id),
    CONSTRAINT products_price_check CHECK (price_amount > 0),
    CONSTRAINT products_deleted_check CHECK (deleted IN (0, 1))
);

CREATE UNIQUE INDEX products_revision_key ON products (revision);
CREATE UNIQUE INDEX products_position_key ON products (position);
