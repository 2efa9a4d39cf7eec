CREATE TABLE counter (
    id BIGINT NOT NULL,
    value BIGINT NOT NULL,
    CONSTRAINT counter_pkey PRIMARY KEY (id)
);
INSERT INTO counter (id, value) VALUES (1, 0);
