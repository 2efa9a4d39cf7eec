-- Nothing forbids an effect to be had twice: the tests see it.
CREATE TABLE effects (
    seq INTEGER CONSTRAINT effects_pkey PRIMARY KEY AUTOINCREMENT,
    event_id TEXT NOT NULL,
    subject TEXT NOT NULL,
    n BIGINT NOT NULL
);
