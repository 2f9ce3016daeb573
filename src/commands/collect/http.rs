//! As much of HTTP/1.1 (RFC 9112) as a scrape needs: one request, one answer, and the connection ends.

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// How long the head of a request may be, in bytes.
const LONGEST: usize = 8 << 10;
/// How many headers it may have.
const HEADERS: usize = 64;
/// The format of the text.
const FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// `GET /metrics`; without the body for `HEAD`.
    Metrics { body: bool },
    /// `GET /`, likewise.
    Start { body: bool },
    /// What there is not, by its status.
    Wrong(u16),
}

/// Reads a request's head; none when the connection ends before it does.
pub(super) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Option<Asked> {
    let mut head = Vec::with_capacity(1024);
    loop {
        if stream.read_buf(&mut head).await.ok()? == 0 {
            return None;
        }
        if let Some(asked) = parse(&head) {
            return Some(asked);
        }
        if head.len() >= LONGEST {
            return Some(Asked::Wrong(431));
        }
    }
}

/// What the head of a request asks for; none while it is not complete.
fn parse(head: &[u8]) -> Option<Asked> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    match request.parse(head) {
        Ok(httparse::Status::Partial) => return None,
        Ok(httparse::Status::Complete(_)) => {}
        Err(httparse::Error::TooManyHeaders) => return Some(Asked::Wrong(431)),
        Err(_) => return Some(Asked::Wrong(400)),
    }
    let path = request.path.unwrap_or_default();
    let path = path.split_once('?').map_or(path, |(path, _)| path);
    Some(match (request.method.unwrap_or_default(), path) {
        (method @ ("GET" | "HEAD"), "/metrics") => Asked::Metrics { body: method == "GET" },
        (method @ ("GET" | "HEAD"), "/") => Asked::Start { body: method == "GET" },
        ("GET" | "HEAD", _) => Asked::Wrong(404),
        _ => Asked::Wrong(405),
    })
}

/// Answers with metrics.
pub(super) async fn tell(stream: &mut (impl AsyncWrite + Unpin), text: &str, body: bool) -> std::io::Result<()> {
    stream.write_all(head(200, FORMAT, text.len()).as_bytes()).await?;
    if body {
        stream.write_all(text.as_bytes()).await?;
    }
    stream.shutdown().await
}

/// Answers with anything else.
pub(super) async fn say(stream: &mut (impl AsyncWrite + Unpin), status: u16, text: &str) -> std::io::Result<()> {
    let answer = head(status, "text/plain; charset=utf-8", text.len()) + text;
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await
}

fn head(status: u16, kind: &str, length: usize) -> String {
    let reason = match status {
        200 => "OK",
        400 => "Bad Request",
        404 => "Not Found",
        405 => "Method Not Allowed",
        431 => "Request Header Fields Too Large",
        _ => "Internal Server Error",
    };
    let allow = if status == 405 { "Allow: GET, HEAD\r\n" } else { "" };
    format!(
        "HTTP/1.1 {status} {reason}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n{allow}Connection: close\r\n\r\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn requests_are_understood() {
        let asked = |text: &str| parse(text.as_bytes());
        assert_eq!(asked("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"), Some(Asked::Metrics { body: true }));
        assert_eq!(asked("HEAD /metrics?a=b HTTP/1.0\r\n\r\n"), Some(Asked::Metrics { body: false }));
        assert_eq!(asked("GET / HTTP/1.1\r\n\r\n"), Some(Asked::Start { body: true }));
        assert_eq!(asked("GET /metricsx HTTP/1.1\r\n\r\n"), Some(Asked::Wrong(404)));
        assert_eq!(asked("POST /metrics HTTP/1.1\r\n\r\n"), Some(Asked::Wrong(405)));
        assert_eq!(asked("\x16\x03\x01\r\n\r\n"), Some(Asked::Wrong(400)));
        assert_eq!(asked("GET /metrics HTTP/1.1\r\nHost: x\r\n"), None);
        let many = "A: b\r\n".repeat(HEADERS + 1);
        assert_eq!(asked(&format!("GET / HTTP/1.1\r\n{many}\r\n")), Some(Asked::Wrong(431)));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = parse(&bytes);
        }
    }
}
