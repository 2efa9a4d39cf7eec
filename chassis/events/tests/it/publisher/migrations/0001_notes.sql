CREATE TABLE notes (
    subject TEXT NOT NULL,
    number BIGINT NOT NULL,
    CONSTRAINT notes_pkey PRIMARY KEY (subject, number)
);
