use sqlx::AssertSqlSafe;
use stores::sql::{ConstraintKind, ResultExt, StoreError};

use crate::opening::{FIRST, opened};

#[derive(Debug, thiserror::Error)]
enum SignUp {
    #[error("email is taken")]
    Taken,
    #[error(transparent)]
    Store(#[from] StoreError),
}

#[tokio::test]
async fn a_violated_constraint_has_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let sql = opened(folder.path(), &FIRST).await.unwrap();
    let run = async |operation, table, statement: &'static str| {
        let statement = sqlx::query(AssertSqlSafe(statement)).execute(sql.pool());
        sql.run(operation, table, statement).await
    };
    let member = "INSERT INTO members (id, email, age) VALUES ('a', 'a@city', 1)";
    run("INSERT", "members", member).await.unwrap();
    run(
        "INSERT",
        "posts",
        "INSERT INTO posts (id, author) VALUES ('p', 'a')",
    )
    .await
    .unwrap();

    let same_id = "INSERT INTO members (id, email, age) VALUES ('a', 'b@city', 1)";
    for (operation, table, statement, kind, name) in [
        (
            "INSERT",
            "members",
            same_id,
            ConstraintKind::Unique,
            "members_pkey",
        ),
        (
            "INSERT",
            "members",
            "INSERT INTO members (id, email, age) VALUES ('b', 'a@city', 1)",
            ConstraintKind::Unique,
            "members_email_key",
        ),
        (
            "UPDATE",
            "members",
            "UPDATE members SET age = -1",
            ConstraintKind::Check,
            "members_age_check",
        ),
        (
            "INSERT",
            "posts",
            "INSERT INTO posts (id, author) VALUES ('q', 'nobody')",
            ConstraintKind::ForeignKey,
            "posts_author_fkey",
        ),
        (
            "DELETE",
            "members",
            "DELETE FROM members",
            ConstraintKind::ForeignKey,
            "posts_author_fkey",
        ),
        (
            "UPDATE",
            "members",
            "UPDATE members SET email = NULL",
            ConstraintKind::NotNull,
            "members.email",
        ),
    ] {
        let error = run(operation, table, statement).await.unwrap_err();
        let constraint = error.constraint().expect(statement);
        assert_eq!(constraint.kind, kind, "{statement}");
        assert_eq!(constraint.name.as_deref(), Some(name), "{statement}");
    }

    let again = run("INSERT", "members", same_id).await;
    let error = again
        .on_constraint("members_pkey", || SignUp::Taken)
        .unwrap_err();
    assert!(matches!(error, SignUp::Taken));
    let again = run("INSERT", "members", same_id).await;
    let error = again
        .on_constraint("members_email_key", || SignUp::Taken)
        .unwrap_err();
    assert!(matches!(
        error,
        SignUp::Store(StoreError::Constraint { .. })
    ));
}
