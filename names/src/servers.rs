//! One question to a machine's name servers, until one of them answers.
//!
//! The servers are asked as the C library asks them: in their order, over UDP, over TCP where an answer is truncated, and without
//! EDNS, which old servers and firewalls drop. A server that fails or refuses sends the question on to the next. Other than the C
//! library, the next one does not wait for all the patience of the one before. Hickory writes and reads the messages. What an
//! answer says is found out in `answer.rs`.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use hickory_proto::op::{Message, MessageType, Query, ResponseCode};
use hickory_proto::rr::{Name, RecordType};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::settings::ResolverSettings;

/// How long the next server waits for the one before it. A server that is alive answers sooner, or is busy with a question of its
/// own, and then its answer still counts.
const STAGGER: Duration = Duration::from_secs(1);

/// Without EDNS no answer over UDP is larger than 512 bytes. Some servers send more.
const UDP_BYTES: usize = 4096;

/// The name servers, and how patiently they are asked.
#[derive(Clone, Debug)]
pub(crate) struct Servers {
    pub(crate) addresses: Vec<SocketAddr>,
    timeout: Duration,
    attempts: u32,
    tcp_only: bool,
    /// Whether they are to ask others. If not, only what they are responsible for is an answer.
    recursion: bool,
}

/// How patiently a server is asked that is responsible for a name.
const RESPONSIBLE_TIMEOUT: Duration = Duration::from_secs(2);
const RESPONSIBLE_ATTEMPTS: u32 = 2;

impl Servers {
    /// One server, about what it is responsible for.
    pub(crate) fn responsible(server: SocketAddr) -> Servers {
        Servers {
            addresses: vec![server],
            timeout: RESPONSIBLE_TIMEOUT,
            attempts: RESPONSIBLE_ATTEMPTS,
            tcp_only: false,
            recursion: false,
        }
    }

    pub(crate) fn of(settings: &ResolverSettings, name_server: Option<SocketAddr>) -> Servers {
        let mut addresses = name_server.map_or_else(|| settings.servers.clone(), |server| vec![server]);
        if settings.rotate {
            // The id of a message is drawn by chance, and as good as any draw.
            let drawn = usize::from(Message::query().metadata.id) % addresses.len();
            addresses.rotate_left(drawn);
        }
        let ResolverSettings { timeout, attempts, tcp_only, .. } = *settings;
        Servers { addresses, timeout, attempts, tcp_only, recursion: true }
    }

    /// The first answer that says whether there are such records.
    ///
    /// # Errors
    /// No server gave one; what each said instead.
    pub(crate) async fn ask(&self, name: &Name, kind: RecordType) -> Result<Message, String> {
        let mut question = Message::query();
        question.metadata.recursion_desired = self.recursion;
        question.add_query(Query::query(name.clone(), kind));
        let mut waiting = self.addresses.iter().copied();
        let mut running = JoinSet::new();
        let mut failed = Vec::new();
        loop {
            let next = waiting.next();
            let more = next.is_some();
            if let Some(server) = next {
                let (asked, question) = (self.clone(), question.clone());
                running.spawn(async move { (server, asked.exchange(server, &question).await) });
            }
            let outcome = if more {
                timeout(STAGGER, running.join_next()).await.ok()
            } else {
                Some(running.join_next().await)
            };
            match outcome {
                Some(Some(Ok((_, Ok(answer))))) => return Ok(answer),
                Some(Some(Ok((server, Err(cause))))) => failed.push(format!("{}: {cause}", server.ip())),
                // Nothing runs and nothing waits.
                Some(None) if !more => return Err(failed.join("; ")),
                // The stagger has passed, or the runtime is being stopped.
                Some(_) | None => {}
            }
        }
    }

    /// What one server says, or why that helps nobody.
    async fn exchange(&self, server: SocketAddr, question: &Message) -> Result<Message, String> {
        let bytes = question.to_vec().map_err(|error| error.to_string())?;
        let describe = |error: io::Error| match error.kind() {
            io::ErrorKind::TimedOut => format!("no answer in {} s", (self.timeout * self.attempts).as_secs()),
            _ => error.to_string(),
        };
        let mut answer = None;
        if !self.tcp_only {
            answer = Some(self.over_udp(server, question, &bytes).await.map_err(describe)?);
        }
        let answer = match answer.filter(|answer| !answer.metadata.truncation) {
            Some(answer) => answer,
            None => self.over_tcp(server, question, &bytes).await.map_err(describe)?,
        };
        let about = &answer.metadata;
        match about.response_code {
            ResponseCode::NoError | ResponseCode::NXDomain if !self.recursion && !about.authoritative => {
                Err("it is not responsible for the name".to_owned())
            }
            // It refers to other servers, and asks none of them itself.
            ResponseCode::NoError
                if answer.answers.is_empty() && !about.authoritative && !about.recursion_available =>
            {
                Err("it does not know, and asks nobody else".to_owned())
            }
            ResponseCode::NoError | ResponseCode::NXDomain => Ok(answer),
            code => Err(code.to_string()),
        }
    }

    /// A late answer to the first sending is an answer, too: so the socket stays.
    async fn over_udp(&self, server: SocketAddr, question: &Message, bytes: &[u8]) -> io::Result<Message> {
        let any: IpAddr =
            if server.is_ipv6() { Ipv6Addr::UNSPECIFIED.into() } else { Ipv4Addr::UNSPECIFIED.into() };
        let socket = UdpSocket::bind((any, 0)).await?;
        // The kernel lets through what comes from there alone, and tells of a port where nobody listens.
        socket.connect(server).await?;
        for _ in 0..self.attempts {
            socket.send(bytes).await?;
            if let Ok(answer) = timeout(self.timeout, receive(&socket, question)).await {
                return answer;
            }
        }
        Err(io::ErrorKind::TimedOut.into())
    }

    async fn over_tcp(&self, server: SocketAddr, question: &Message, bytes: &[u8]) -> io::Result<Message> {
        let exchange = async {
            let mut stream = TcpStream::connect(server).await?;
            let length = u16::try_from(bytes.len()).map_err(io::Error::other)?;
            stream.write_all(&[&length.to_be_bytes(), bytes].concat()).await?;
            let mut answer = vec![0; usize::from(stream.read_u16().await?)];
            stream.read_exact(&mut answer).await?;
            read(&answer, question).unwrap_or_else(|| Err(unreadable()))
        };
        timeout(self.timeout * self.attempts, exchange).await?
    }
}

/// The answer to this question. Everything else that arrives is dropped.
async fn receive(socket: &UdpSocket, question: &Message) -> io::Result<Message> {
    let mut bytes = [0; UDP_BYTES];
    loop {
        let length = socket.recv(&mut bytes).await?;
        if let Some(answer) = read(&bytes[..length], question) {
            return answer;
        }
    }
}

/// These bytes as the answer to this question, or nothing if they answer another.
fn read(bytes: &[u8], question: &Message) -> Option<io::Result<Message>> {
    let id = bytes.first_chunk().map(|id| u16::from_be_bytes(*id));
    if id != Some(question.metadata.id) {
        return None;
    }
    let Ok(answer) = Message::from_vec(bytes) else { return Some(Err(unreadable())) };
    let is_answer = answer.metadata.message_type == MessageType::Response;
    // A server that cannot read a question may leave it out of its error.
    let failed = answer.metadata.response_code != ResponseCode::NoError && answer.queries.is_empty();
    (is_answer && (failed || answer.queries == question.queries)).then_some(Ok(answer))
}

fn unreadable() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "its answer cannot be read")
}
