//! What board tells others.

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::domain::Post;

/// A member has written a post. Its subject is the post.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PostCreated<'a> {
    /// UUIDv7.
    post_id: Uuid,
    /// Whoever wrote it.
    user_id: &'a str,
    title: &'a str,
}

impl ::events::Body for PostCreated<'_> {
    const TYPE: &'static str = "board.PostCreated.v1";
}

impl<'a> From<&'a Post> for PostCreated<'a> {
    fn from(post: &'a Post) -> Self {
        Self {
            post_id: post.id,
            user_id: &post.user_id,
            title: post.title.as_str(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::PostCreated;

    #[test]
    fn what_is_published_is_what_was_promised() {
        ::events::schema::promised::<PostCreated<'_>>(env!("CARGO_MANIFEST_DIR")).unwrap();
    }
}
