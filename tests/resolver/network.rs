//! The network of its own: addresses, name servers, and what stands in front of them.

use std::fs;
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Runs a program that has to succeed.
pub(crate) fn run(line: &str) {
    let mut words = line.split_whitespace();
    let output = Command::new(words.next().unwrap()).args(words).output().unwrap();
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Loopback, a link with link-local addresses, and a copy of /etc that a test may write.
pub(crate) fn prepare(folder: &Path) {
    run("ip link set lo up");
    run("ip link add kms0 type veth peer name kms1");
    run("ip link set kms0 up");
    run("ip link set kms1 up");
    run("ip -6 address add fe80::53/64 dev kms0 nodad");
    let copy = folder.join("etc");
    run(&format!("cp -a /etc {}", copy.display()));
    // A link into another folder would be followed out of the copy.
    let _ = fs::remove_file(copy.join("resolv.conf"));
    run(&format!("mount --bind {} /etc", copy.display()));
}

/// A name server at one address, with BIND's test switches.
pub(crate) struct Named(Child);

impl Named {
    /// Serves the zone file of `corp.example` and returns when it answers.
    pub(crate) fn start(folder: &Path, listen: &str, zone: &Path, switches: &[&str]) -> Named {
        let own = folder.join(format!("named-{}", listen.replace([':', '.'], "-")));
        fs::create_dir(&own).unwrap();
        let (v4, v6) = if listen.contains(':') { ("none", listen) } else { (listen, "none") };
        let config = format!(
            "options {{ directory \"{0}\"; listen-on {{ {v4}; }}; listen-on-v6 {{ {v6}; }}; recursion no; \
             pid-file \"{0}/pid\"; session-keyfile \"{0}/key\"; }};\ncontrols {{ }};\n\
             zone \"corp.example\" {{ type primary; file \"{1}\"; }};\n",
            own.display(),
            zone.display()
        );
        fs::write(own.join("named.conf"), config).unwrap();
        let log = fs::File::create(own.join("log")).unwrap();
        let mut named = Command::new("named");
        named.args(["-g", "-u", "root", "-n", "1", "-c"]).arg(own.join("named.conf"));
        for switch in switches {
            named.args(["-T", switch]);
        }
        let named = Named(named.stdin(Stdio::null()).stderr(log).spawn().unwrap());
        for _ in 0..1000 {
            if fs::read_to_string(own.join("log")).unwrap().contains("running\n") {
                return named;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("named does not run: {}", fs::read_to_string(own.join("log")).unwrap());
    }
}

impl Drop for Named {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A server that is there and never answers. It lasts as long as the process.
pub(crate) fn silent(at: &str) {
    std::mem::forget(UdpSocket::bind((at, 53)).unwrap());
}

/// Passes questions on to a name server and its answers back, but for those that `drops` names. It lasts as long as the process.
pub(crate) fn relay(at: &str, to: &str, drops: fn(&[u8]) -> bool) {
    let (socket, to) = (UdpSocket::bind((at, 53)).unwrap(), SocketAddr::new(to.parse().unwrap(), 53));
    std::thread::spawn(move || {
        let mut bytes = [0; 4096];
        loop {
            let (length, asker) = socket.recv_from(&mut bytes).unwrap();
            if drops(&bytes[..length]) {
                continue;
            }
            let behind = UdpSocket::bind("127.0.0.1:0").unwrap();
            behind.send_to(&bytes[..length], to).unwrap();
            let length = behind.recv(&mut bytes).unwrap();
            socket.send_to(&bytes[..length], asker).unwrap();
        }
    });
}

/// A server that refuses every question. It lasts as long as the process.
pub(crate) fn refusing(at: &str) {
    let socket = UdpSocket::bind((at, 53)).unwrap();
    std::thread::spawn(move || {
        let mut bytes = [0; 4096];
        loop {
            let (length, asker) = socket.recv_from(&mut bytes).unwrap();
            // It is an answer, and its code is 5.
            bytes[2] |= 0x80;
            bytes[3] = 5;
            socket.send_to(&bytes[..length], asker).unwrap();
        }
    });
}

/// The same over TCP alone: nobody hears UDP at this address.
pub(crate) fn tcp_relay(at: &str, to: &str) {
    let (listener, to) =
        (std::net::TcpListener::bind((at, 53)).unwrap(), SocketAddr::new(to.parse().unwrap(), 53));
    std::thread::spawn(move || {
        for asker in listener.incoming() {
            let (asker, behind) = (asker.unwrap(), std::net::TcpStream::connect(to).unwrap());
            for (mut from, mut onto) in [
                (asker.try_clone().unwrap(), behind.try_clone().unwrap()),
                (behind.try_clone().unwrap(), asker.try_clone().unwrap()),
            ] {
                std::thread::spawn(move || std::io::copy(&mut from, &mut onto));
            }
        }
    });
}

/// Whether this asks for an IPv6 address: type 28, before the class, at the end of a question without EDNS.
pub(crate) fn asks_for_ipv6(question: &[u8]) -> bool {
    question.ends_with(&[0, 28, 0, 1])
}
