//! What the host watches in itself, besides answering.
//!
//! `space` watches the free space of the disk, `retention` forgets machines that are long gone, `recheck` counts again after a
//! crash, `certificates` says in the log which certificates are used and when they end, `rejections` notices machines that do not
//! accept the answers. `alarms` turns all of it into a list for administrators, each alarm with a remedy.

pub mod alarms;
pub(crate) mod certificates;
pub mod recheck;
pub(crate) mod rejections;
pub mod retention;
pub mod space;
