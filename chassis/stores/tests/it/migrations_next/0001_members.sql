CREATE TABLE members (
    id TEXT NOT NULL,
    email TEXT NOT NULL,
    age BIGINT NOT NULL,
    CONSTRAINT members_pkey PRIMARY KEY (id),
    CONSTRAINT members_age_check CHECK (age >= 0)
);
CREATE UNIQUE INDEX members_email_key ON members (email);

CREATE TABLE posts (
    id TEXT NOT NULL,
    author TEXT NOT NULL,
    CONSTRAINT posts_pkey PRIMARY KEY (id),
    CONSTRAINT posts_author_fkey FOREIGN KEY (author) REFERENCES members (id)
);
