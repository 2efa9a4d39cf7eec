use std::fmt;

use uuid::Uuid;

use super::{Email, Name, Timestamp};

/// A member's id: a UUIDv7, so that members sort by when they came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MemberId(Uuid);

impl MemberId {
    pub(crate) fn new() -> Self {
        Self(Uuid::now_v7())
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        Uuid::try_parse(text).ok().map(Self)
    }
}

impl fmt::Display for MemberId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a member may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// What every member may.
    Member,
    /// Run the city.
    Admin,
}

impl Role {
    /// As the store keeps it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Admin => identity::ADMIN_ROLE,
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        [Self::Member, Self::Admin]
            .into_iter()
            .find(|role| role.as_str() == text)
    }

    /// As tokens and profiles say it: what goes beyond being a member.
    pub(crate) fn names(self) -> &'static [&'static str] {
        match self {
            Self::Member => &[],
            Self::Admin => &[identity::ADMIN_ROLE],
        }
    }
}

/// A member, as the store knows them, without their secrets.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) id: MemberId,
    pub(crate) email: Email,
    pub(crate) name: Name,
    pub(crate) role: Role,
    pub(crate) created_at: Timestamp,
}
