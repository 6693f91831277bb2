//! Kinds that have a name in text, such as the state of a record: an enum is declared with the names of its members.

/// Declares the enum, `ALL`, `name` and `from_name`. A number after a member is the byte under which a ledger keeps it.
macro_rules! named {
    ($(#[$about:meta])* $kind:ident { $($(#[$doc:meta])* $member:ident $(= $byte:literal)?, $name:literal;)* }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $kind { $($(#[$doc])* $member $(= $byte)?,)* }

        impl $kind {
            /// Every one.
            pub const ALL: &[$kind] = &[$($kind::$member,)*];

            /// Its name.
            pub const fn name(self) -> &'static str {
                match self { $($kind::$member => $name,)* }
            }

            /// The one of this name.
            pub fn from_name(name: &str) -> Option<$kind> {
                $kind::ALL.iter().copied().find(|one| one.name() == name)
            }
        }
    };
}

pub(crate) use named;
