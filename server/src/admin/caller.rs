//! Who asks over the admin socket, and whether they may: root, and the program's own user.
//!
//! The kernel says who it is, at the moment of the connection; nothing that the caller sends is believed. The socket's mode
//! keeps others out as well, but a mode is loosened by one careless command.

use std::fs;

use shared::reason::Reason;
use tonic::transport::server::UdsConnectInfo;
use tonic::{Request, Status};

use crate::unanswered::status;

/// A process that asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Its user.
    pub uid: u32,
    /// Its process id, where the kernel can tell it: not that of another container.
    pub pid: Option<i32>,
}

impl Caller {
    /// The program itself: what it does by its own settings, or on a signal.
    pub fn own() -> Caller {
        let uid = rustix::process::geteuid().as_raw();
        Caller { uid, pid: Some(rustix::process::getpid().as_raw_nonzero().get()) }
    }

    /// Who sent this; the program itself where it came over no socket, as in a test.
    pub fn of<T>(request: &Request<T>) -> Caller {
        request.extensions().get::<Caller>().copied().unwrap_or_else(Caller::own)
    }

    fn may_ask(self, own: Caller) -> bool {
        self.uid == 0 || self.uid == own.uid
    }
}

/// Admits a call and notes its caller. Every service on the admin socket uses it.
pub(super) fn admit(mut request: Request<()>) -> Result<Request<()>, Status> {
    let peer = request.extensions().get::<UdsConnectInfo>().and_then(|info| info.peer_cred);
    let caller = peer.map(|peer| Caller { uid: peer.uid(), pid: peer.pid() });
    let Some(caller) = caller.filter(|caller| caller.may_ask(Caller::own())) else {
        let uid = caller.map_or_else(|| "that is not known".to_owned(), |caller| caller.uid.to_string());
        tracing::warn!(uid, "a user who may not use the admin socket has tried to");
        return Err(status(Reason::NotAdministrator.with(&[("uid", &uid)]).into()));
    };
    request.extensions_mut().insert(caller);
    Ok(request)
}

/// The name of a user, if the machine's own list has it.
pub fn user_name(uid: u32) -> Option<String> {
    name_of(uid, &fs::read_to_string("/etc/passwd").ok()?).map(str::to_owned)
}

/// passwd(5): "name:password:UID:GID:GECOS:directory:shell".
fn name_of(uid: u32, users: &str) -> Option<&str> {
    let uid = uid.to_string();
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, _, found) = (fields.next()?, fields.next()?, fields.next()?);
        (found == uid && !name.is_empty()).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_and_the_programs_own_user_may_ask_and_nobody_else() {
        let of = |uid| Caller { uid, pid: None };
        let host = of(990);
        assert_eq!(
            [0, 990, 991, 989, 65_534].map(|uid| of(uid).may_ask(host)),
            [true, true, false, false, false]
        );
    }

    #[test]
    fn a_call_over_no_socket_is_not_let_in() {
        let refused = admit(Request::new(())).unwrap_err();
        assert_eq!(refused.code(), tonic::Code::PermissionDenied);
        assert!(refused.message().starts_with("NOT_ADMINISTRATOR"), "{}", refused.message());
    }

    #[test]
    fn a_user_is_named_as_the_machines_own_list_has_it() {
        let users = "root:x:0:0:root:/root:/bin/sh\nbroken\nkms-host:x:990:990::/:/bin/false\n:x:7:7::/:\n";
        assert_eq!(
            [0, 990, 99, 7].map(|uid| name_of(uid, users)),
            [Some("root"), Some("kms-host"), None, None]
        );
    }
}
