//! A mail server: it speaks SMTP (RFC 5321) over real connections, takes letters, and fails in the
//! ways in which mail servers fail.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// How it treats the next letter, or whoever knocks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    /// The greeting is this: there is no service now.
    Closed(&'static str),
    /// The recipient is answered so; `{}` is their address.
    Recipient(&'static str),
    /// The letter is read to its end, and answered so.
    Letter(&'static str),
    /// The letter is taken, and the line goes dead before it is said.
    HangUp,
    /// The letter is taken, and nothing is ever said.
    Silence,
}

/// When TLS begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Security {
    Never,
    Asked,
    FromTheStart,
}

/// A letter as it was handed over.
#[derive(Clone, Debug)]
pub(crate) struct Letter {
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) data: String,
    pub(crate) by_tls: bool,
    /// Who had handed it over, and by which password.
    pub(crate) user: Option<(String, String)>,
}

#[derive(Default)]
struct Post {
    letters: Vec<Letter>,
    moods: VecDeque<Mood>,
    /// Each line that was said to it.
    heard: Vec<String>,
    wrong_password: bool,
}

/// It ends with the runtime of the test.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    post: Arc<Mutex<Post>>,
}

impl Server {
    pub(crate) async fn open() -> Self {
        Self::with(Security::Never, None).await
    }

    pub(crate) async fn with(security: Security, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self {
            address: listener.local_addr().unwrap(),
            post: Arc::default(),
        };
        let post = Arc::clone(&server.post);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (post, tls) = (Arc::clone(&post), tls.clone());
                tokio::spawn(async move {
                    let Some(tls) = tls else {
                        return serve(Talk::new(stream, post)).await;
                    };
                    if security == Security::FromTheStart {
                        let Ok(stream) = tls.accept(stream).await else {
                            return;
                        };
                        let mut talk = Talk::new(stream, post);
                        talk.by_tls = true;
                        return serve(talk).await;
                    }
                    let mut talk = Talk::new(stream, Arc::clone(&post));
                    talk.offers_tls = true;
                    if talk.greet().await.is_none() || talk.until_starttls().await.is_none() {
                        return;
                    }
                    let Ok(stream) = tls.accept(talk.stream.into_inner()).await else {
                        return;
                    };
                    let mut talk = Talk::new(stream, post);
                    (talk.by_tls, talk.greeted) = (true, true);
                    serve(talk).await;
                });
            }
        });
        server
    }

    fn post(&self) -> MutexGuard<'_, Post> {
        self.post.lock().unwrap()
    }

    /// The next letters are treated so, one after another; those after them are taken.
    pub(crate) fn will(&self, moods: &[Mood]) {
        self.post().moods = moods.iter().cloned().collect();
    }

    /// Whether any password is refused from now on.
    pub(crate) fn refuses_passwords(&self, refuses: bool) {
        self.post().wrong_password = refuses;
    }

    /// Every letter that was read to its end and not refused.
    pub(crate) fn letters(&self) -> Vec<Letter> {
        self.post().letters.clone()
    }

    /// What is still to be treated in a mood.
    pub(crate) fn moods_left(&self) -> usize {
        self.post().moods.len()
    }

    /// How often this was said to it.
    pub(crate) fn heard(&self, start: &str) -> usize {
        let post = self.post();
        let heard = post.heard.iter().filter(|line| line.starts_with(start));
        heard.count()
    }
}

impl Letter {
    /// A header's value as it was sent, unfolded.
    pub(crate) fn header(&self, name: &str) -> String {
        let (head, _) = self.data.split_once("\r\n\r\n").unwrap();
        let head = head.replace("\r\n ", " ");
        let prefix = format!("{name}: ");
        let line = head.lines().find_map(|line| line.strip_prefix(&prefix));
        line.unwrap_or_else(|| panic!("no {name}: {head}"))
            .to_owned()
    }

    /// The subject, decoded (RFC 2047).
    pub(crate) fn subject(&self) -> String {
        let mut text = Vec::new();
        let subject = self.header("Subject");
        let mut was_encoded = true;
        for word in subject.split(' ') {
            let encoded = word
                .strip_prefix("=?utf-8?b?")
                .and_then(|word| word.strip_suffix("?="));
            // Between two encoded words a space is none.
            if !(text.is_empty() || was_encoded && encoded.is_some()) {
                text.push(b' ');
            }
            was_encoded = encoded.is_some();
            match encoded {
                Some(word) => text.extend(STANDARD.decode(word).unwrap()),
                None => text.extend(word.as_bytes()),
            }
        }
        String::from_utf8(text).unwrap()
    }

    /// The text, decoded (RFC 2045).
    pub(crate) fn text(&self) -> String {
        let (_, body) = self.data.split_once("\r\n\r\n").unwrap();
        let bytes = match &*self.header("Content-Transfer-Encoding") {
            "base64" => STANDARD.decode(body.replace("\r\n", "")).unwrap(),
            "quoted-printable" => quoted_printable(&body.replace("=\r\n", "")),
            other => panic!("{other}"),
        };
        String::from_utf8(bytes).unwrap().replace("\r\n", "\n")
    }
}

fn quoted_printable(text: &str) -> Vec<u8> {
    let mut parts = text.split('=');
    let mut bytes = parts.next().unwrap().as_bytes().to_vec();
    for part in parts {
        let (code, rest) = part.split_at(2);
        bytes.push(u8::from_str_radix(code, 16).unwrap());
        bytes.extend(rest.as_bytes());
    }
    bytes
}

struct Talk<S> {
    stream: BufReader<S>,
    post: Arc<Mutex<Post>>,
    offers_tls: bool,
    by_tls: bool,
    greeted: bool,
    user: Option<(String, String)>,
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin>(mut talk: Talk<S>) {
    if talk.greeted || talk.greet().await.is_some() {
        // It ends when the other side does, or in a mood.
        let _ = talk.letters().await;
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Talk<S> {
    fn new(stream: S, post: Arc<Mutex<Post>>) -> Self {
        Self {
            stream: BufReader::new(stream),
            post,
            offers_tls: false,
            by_tls: false,
            greeted: false,
            user: None,
        }
    }

    fn mood(&self, fits: impl Fn(&Mood) -> bool) -> Option<Mood> {
        let mut post = self.post.lock().unwrap();
        match post.moods.front() {
            Some(mood) if fits(mood) => post.moods.pop_front(),
            _ => None,
        }
    }

    async fn say(&mut self, line: &str) -> Option<()> {
        let line = format!("{line}\r\n");
        self.stream.write_all(line.as_bytes()).await.ok()?;
        self.stream.flush().await.ok()
    }

    async fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        if self.stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        let line = line.strip_suffix("\r\n").expect("lines end so").to_owned();
        self.post.lock().unwrap().heard.push(line.clone());
        Some(line)
    }

    async fn greet(&mut self) -> Option<()> {
        if let Some(Mood::Closed(said)) = self.mood(|mood| matches!(mood, Mood::Closed(_))) {
            self.say(said).await?;
            return None;
        }
        self.say("220 mail.example ESMTP").await
    }

    async fn welcome(&mut self) -> Option<()> {
        self.say("250-mail.example").await?;
        if self.offers_tls {
            self.say("250-STARTTLS").await?;
        }
        self.say("250 AUTH PLAIN").await
    }

    async fn until_starttls(&mut self) -> Option<()> {
        loop {
            let line = self.line().await?;
            if line.starts_with("EHLO") {
                self.welcome().await?;
            } else if line == "STARTTLS" {
                return self.say("220 go on").await;
            } else {
                self.say("530 5.7.0 STARTTLS first").await?;
            }
        }
    }

    async fn log_in(&mut self, given: &str) -> Option<()> {
        let given = String::from_utf8(STANDARD.decode(given).unwrap()).unwrap();
        let [_, user, password] = given.split('\0').collect::<Vec<_>>()[..] else {
            panic!("{given:?}");
        };
        self.user = Some((user.to_owned(), password.to_owned()));
        let refused = self.post.lock().unwrap().wrong_password;
        let said = match refused {
            true => "535 5.7.8 who are you",
            false => "235 2.7.0 come in",
        };
        self.say(said).await
    }

    async fn letters(&mut self) -> Option<()> {
        let (mut from, mut to) = (String::new(), String::new());
        loop {
            let line = self.line().await?;
            if line.starts_with("EHLO") {
                self.welcome().await?;
            } else if let Some(given) = line.strip_prefix("AUTH PLAIN ") {
                self.log_in(given).await?;
            } else if let Some(path) = line.strip_prefix("MAIL FROM:") {
                from = path.trim_matches(['<', '>']).to_owned();
                self.say("250 2.1.0 ok").await?;
            } else if let Some(path) = line.strip_prefix("RCPT TO:") {
                to = path.trim_matches(['<', '>']).to_owned();
                let mood = self.mood(|mood| matches!(mood, Mood::Recipient(_)));
                match mood {
                    Some(Mood::Recipient(said)) => self.say(&said.replace("{}", &to)).await?,
                    _ => self.say("250 2.1.5 ok").await?,
                }
            } else if line == "DATA" {
                self.say("354 go on").await?;
                self.letter(&from, &to).await?;
            } else if line == "QUIT" {
                return self.say("221 bye").await;
            } else {
                self.say("500 5.5.2 what?").await?;
            }
        }
    }

    async fn letter(&mut self, from: &str, to: &str) -> Option<()> {
        let mut data = String::new();
        loop {
            let mut line = String::new();
            self.stream.read_line(&mut line).await.ok()?;
            match &*line {
                "" => return None,
                ".\r\n" => break,
                line => data.push_str(line.strip_prefix('.').unwrap_or(line)),
            }
        }
        let mood = self.mood(|mood| !matches!(mood, Mood::Closed(_) | Mood::Recipient(_)));
        if let Some(Mood::Letter(said)) = mood {
            return self.say(said).await;
        }
        self.post.lock().unwrap().letters.push(Letter {
            from: from.to_owned(),
            to: to.to_owned(),
            data,
            by_tls: self.by_tls,
            user: self.user.clone(),
        });
        match mood {
            Some(Mood::HangUp) => None,
            Some(_) => std::future::pending().await,
            None => self.say("250 2.0.0 taken").await,
        }
    }
}
