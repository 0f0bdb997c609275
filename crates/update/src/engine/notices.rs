//! Listening for a server's announcements (server-sent events). A notice is only ever a reason to look.

use super::fetch::Remote;
use super::network::{Answer, NetworkFuture};
use staysail_protocol::notice::UpdateNotice;
use std::time::Duration;
use tokio::sync::mpsc;

/// First pause before a lost connection is made again; doubles.
pub const NOTICE_BACKOFF_MS: u64 = 500;
/// Longest pause before a lost connection is made again.
pub const NOTICE_BACKOFF_MAX_S: u64 = 60;
/// Pause before a server that announces nothing is asked again.
pub const NOTICE_ABSENT_S: u64 = 3_600;
/// A connection silent for this long is taken for dead; servers send a comment more often.
pub const NOTICE_SILENCE_S: u64 = 60;
/// Longest line of an announcement.
pub const NOTICE_LINE_BYTES_MAX: usize = 64 << 10;

/// Listens for ever, telling `news` whenever there is reason to look.
pub(crate) async fn listen(remote: Remote, news: mpsc::Sender<()>) {
    let mut heard = None;
    let mut pause = Duration::from_millis(NOTICE_BACKOFF_MS);
    while let Some(asked) = remote.network().announcements() {
        match connect(asked, &news, &mut heard).await {
            Ok(true) => pause = Duration::from_millis(NOTICE_BACKOFF_MS),
            Ok(false) => pause = Duration::from_secs(NOTICE_ABSENT_S),
            Err(error) => tracing::debug!(error, "announcements are not to be had"),
        }
        if news.is_closed() {
            return;
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(NOTICE_BACKOFF_MAX_S));
    }
}

/// One connection until it ends. Whether the server announces anything at all.
async fn connect(
    asked: NetworkFuture<'_, Answer>,
    news: &mpsc::Sender<()>,
    heard: &mut Option<String>,
) -> Result<bool, String> {
    let mut answer = asked.await?;
    if answer.status != 200 || !answer.media.starts_with("text/event-stream") {
        return Ok((500..=599).contains(&answer.status));
    }
    let mut parser = Parser::default();
    while let Some(piece) = answer.body.piece().await? {
        for notice in parser.feed(&piece) {
            if heard.as_ref() != Some(&notice.checksum) {
                *heard = Some(notice.checksum);
                // A full queue holds a reason to look already.
                let _ = news.try_send(());
            }
        }
    }
    Ok(true)
}

/// The part of the event stream format that is used: `event` and `data` lines, ended by an empty one.
#[derive(Debug, Default)]
struct Parser {
    line: Vec<u8>,
    event: String,
    data: String,
}

impl Parser {
    fn feed(&mut self, bytes: &[u8]) -> Vec<UpdateNotice> {
        let mut notices = Vec::new();
        for byte in bytes {
            match byte {
                b'\n' => {
                    let line = String::from_utf8_lossy(&std::mem::take(&mut self.line))
                        .trim_end_matches('\r')
                        .to_owned();
                    notices.extend(self.take(&line));
                }
                byte if self.line.len() < NOTICE_LINE_BYTES_MAX => self.line.push(*byte),
                _ => {}
            }
        }
        notices
    }

    fn take(&mut self, line: &str) -> Option<UpdateNotice> {
        if line.is_empty() {
            let (event, data) = (std::mem::take(&mut self.event), std::mem::take(&mut self.data));
            return (event == "release").then(|| serde_json::from_str(&data).ok()).flatten();
        }
        let (field, value) = line.split_once(':')?;
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => self.event = value.to_owned(),
            "data" if self.data.len() + value.len() <= NOTICE_LINE_BYTES_MAX => self.data += value,
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn announcements_are_found_however_the_stream_is_cut() {
        let stream = b"retry: 1000\n\n:\n\nevent: release\r\ndata: {\"event\":\"release\",\"module\":\"*\",\"version\":\"2.0.0\",\
            \"checksum\":\"ab\"}\r\n\r\nevent: other\ndata: {}\n\nevent: release\ndata: nonsense\n\n";
        for size in 1..stream.len() {
            let mut parser = Parser::default();
            let notices: Vec<_> = stream.chunks(size).flat_map(|chunk| parser.feed(chunk)).collect();
            assert_eq!(notices.len(), 1, "{size}");
            assert_eq!(notices[0].version, "2.0.0");
        }
    }

    #[test]
    fn a_line_without_end_takes_no_memory() {
        let mut parser = Parser::default();
        for _ in 0..100 {
            assert!(parser.feed(&[b'x'; 100_000]).is_empty());
        }
        assert!(parser.line.len() <= NOTICE_LINE_BYTES_MAX);
    }
}
