CREATE TABLE effects (
    subject TEXT NOT NULL CONSTRAINT effects_pkey PRIMARY KEY,
    position BIGINT NOT NULL
);
