CREATE TABLE posts (
    -- UUIDv7: sorts by when the post was written.
    id TEXT NOT NULL,
    -- A member's id. Members are another service's: there is no key to hold on to, and a post
    -- outlives its author.
    user_id TEXT NOT NULL,
    title TEXT NOT NULL,
    body TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    CONSTRAINT posts_pkey PRIMARY KEY (id)
);
