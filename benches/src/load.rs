//! Server CPU of a request over loopback, kernel included.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::handle::{MAY_LOSE, Worker};
use crate::pin;
use crate::request::{ANSWER, TARGET};
use crate::stats::Series;
use crate::subject::Variant;
use crate::worker::{Cpu, Order};

const ROUNDS: usize = 60;
const REQUESTS: u64 = 4_000;
/// Before those that are measured: whoever was measured last has left the caches to itself.
const WARMING: u64 = 800;
/// Under way at the same time, each on a connection that is kept.
const CONNECTIONS: usize = 32;
/// A server that takes longer has stopped.
const PATIENCE: Duration = Duration::from_secs(10);

/// CPU time of a server for one request, in nanoseconds, by round.
#[derive(Debug, Default)]
pub(crate) struct Served {
    /// Of the thread that serves.
    pub(crate) thread: Series,
    /// Of the whole process, until everything has been sent.
    pub(crate) process: Series,
}

pub(crate) fn measure(variants: &[Variant]) -> Result<Vec<(Variant, Served)>> {
    let mut servers = Vec::new();
    for &variant in variants {
        let mut worker = Worker::start(variant, &[])?;
        let address = worker.tell(Order::Serve)?;
        let mut client = Client::connect(address)?;
        serve(&mut worker, &mut client, REQUESTS)?;
        servers.push((worker, client, Served::default()));
    }
    pin::apart()?;
    for round in 0..ROUNDS {
        for turn in 0..servers.len() {
            // Forth and back, so that nobody always comes after the same one.
            let place = (turn + round / 2) % servers.len();
            let which = match round % 2 {
                0 => place,
                _ => servers.len() - 1 - place,
            };
            let (worker, client, served) = &mut servers[which];
            writeln!(
                std::io::stderr(),
                "loopback {}/{ROUNDS}: {}",
                round + 1,
                worker.variant.title
            )?;
            serve(worker, client, WARMING)?;
            let before: Cpu = worker.tell(Order::Cpu)?;
            serve(worker, client, REQUESTS)?;
            let after: Cpu = worker.tell(Order::Cpu)?;
            let each = |cpu: u64| cpu as f64 / REQUESTS as f64;
            served.thread.0.push(each(after.thread - before.thread));
            served.process.0.push(each(after.process - before.process));
            worker.arrived()?;
        }
    }
    pin::free()?;
    let mut measured = Vec::new();
    for (worker, client, served) in servers {
        drop(client);
        measured.push((worker.variant, served));
        worker.end(MAY_LOSE)?;
    }
    Ok(measured)
}

/// So many requests, until everything about them has left the server.
fn serve(worker: &mut Worker, client: &mut Client, requests: u64) -> Result<()> {
    client.load(requests)?;
    worker.note(requests, 1);
    worker.flush()
}

struct Client {
    request: String,
    connections: Vec<TcpStream>,
}

impl Client {
    fn connect(address: SocketAddr) -> Result<Client> {
        let connections = (0..CONNECTIONS)
            .map(|_| {
                let stream = TcpStream::connect(address)?;
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(PATIENCE))?;
                Ok(stream)
            })
            .collect::<Result<_>>()?;
        Ok(Client {
            request: format!(
                "GET {TARGET} HTTP/1.1\r\nhost: {address}\r\nuser-agent: citywatch-benches/1\r\n\
                 accept: application/json\r\n\r\n"
            ),
            connections,
        })
    }

    fn load(&mut self, requests: u64) -> Result<()> {
        for _ in 0..requests / CONNECTIONS as u64 {
            for connection in &mut self.connections {
                connection.write_all(self.request.as_bytes())?;
            }
            for connection in &mut self.connections {
                read_answer(connection)?;
            }
        }
        Ok(())
    }
}

fn read_answer(connection: &mut TcpStream) -> Result<()> {
    let mut answer = [0; 4096];
    let mut length = 0;
    while !answer[..length].ends_with(ANSWER) {
        let read = connection.read(&mut answer[length..])?;
        ensure!(read > 0, "the server has hung up");
        length += read;
    }
    let ok = answer.starts_with(b"HTTP/1.1 200 OK\r\n");
    ensure!(ok, "{}", String::from_utf8_lossy(&answer[..length]));
    Ok(())
}
