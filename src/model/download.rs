//! Transfers by HTTPS, resumed where they broke off.

use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::path::Path;
use std::time::Duration;

use ureq::http::{StatusCode, Uri, header};

use crate::control::{Control, Event, check};
use crate::error::Error;

/// How long a server may be silent, before it answers and between two parts of the answer.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// As many addresses one after another as browsers follow, about.
const MOST_REDIRECTS: u32 = 10;
/// Allows transfers that anybody on the way can read and change.
const INSECURE_VARIABLE: &str = "FDGR_ALLOW_HTTP";

/// Why a transfer ended early.
pub(super) enum Failure {
    /// The server, in words; another one may do better.
    Source(String),
    /// This side: the target cannot be written, or the work was cancelled.
    Here(Error),
}

/// Fetches `url` into `part`, from where `part` ends; `control` hears of the bytes and may cancel between two reads. What
/// has arrived is kept. Addresses and redirections are HTTPS, or on this machine, unless `FDGR_ALLOW_HTTP=1`.
///
/// # Errors
/// Addresses that are not HTTPS, servers that do not answer, fall silent or send something else, targets that cannot be written, and being cancelled.
pub(super) fn fetch(
    url: &str,
    part: &Path,
    patience: Duration,
    control: &dyn Control,
) -> std::result::Result<(), Failure> {
    let failed = |e: &dyn std::fmt::Display| Failure::Source(format!("{url} could not be fetched ({e})"));
    let is_local = is_local(url);
    let needs_https = !is_local && std::env::var_os(INSECURE_VARIABLE).is_none_or(|allowed| allowed != "1");
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .https_only(needs_https)
        // A server of this machine must not send on to one elsewhere.
        .max_redirects(if is_local { 0 } else { MOST_REDIRECTS })
        .http_status_as_error(false)
        .timeout_connect(Some(patience))
        .timeout_recv_response(Some(patience))
        .timeout_per_read(Some(patience))
        .build()
        .into();
    let have = std::fs::metadata(part).map_or(0, |metadata| metadata.len());
    let mut request = agent.get(url);
    if have > 0 {
        request = request.header(header::RANGE, format!("bytes={have}-"));
    }
    let mut response = request.call().map_err(|e| match e {
        ureq::Error::RequireHttpsOnly(other) => {
            failed(&format!("{other} is not HTTPS; {INSECURE_VARIABLE}=1 allows that"))
        }
        e => failed(&e),
    })?;
    let partial = response.status() == StatusCode::PARTIAL_CONTENT;
    let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let range = header(header::CONTENT_RANGE);
    let resumed = partial && range.as_deref().is_none_or(|range| range.starts_with(&format!("bytes {have}-")));
    if partial && !resumed {
        return Err(failed(&format!("it sent the bytes {} instead of those from {have}", range.unwrap_or_default())));
    }
    // Nothing is left to send: what is here is complete, which its hash and its tensors will tell.
    if response.status() == StatusCode::RANGE_NOT_SATISFIABLE && have > 0 {
        return Ok(());
    }
    if !response.status().is_success() {
        return Err(failed(&response.status()));
    }
    let rest = response.headers().get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<u64>().ok());
    let mut done = if resumed { have } else { 0 };
    let all = rest.map(|rest| rest + done);
    let unwritable = |e: std::io::Error| Failure::Here(Error::unwritable(part, e));
    let mut options = OpenOptions::new();
    let file = options.create(true).write(true).append(resumed).truncate(!resumed).open(part);
    let mut file = file.map_err(unwritable)?;
    let mut body = response.body_mut().as_reader();
    let mut buffer = vec![0; 1 << 16];
    loop {
        check(control, || format!("after {done} bytes of {url}, which are kept")).map_err(Failure::Here)?;
        let broken =
            |e| Failure::Source(format!("{url} broke off after {done} of {} bytes ({e})", all.unwrap_or(done)));
        let count = body.read(&mut buffer).map_err(broken)?;
        if count == 0 {
            break;
        }
        file.write_all(&buffer[..count]).map_err(unwritable)?;
        done += count as u64;
        control.emit(Event::Bytes { done, all });
    }
    match all {
        Some(all) if done < all => Err(Failure::Source(format!("{url} broke off after {done} of {all} bytes"))),
        _ => Ok(()),
    }
}

/// Whether an address is one of this machine.
fn is_local(url: &str) -> bool {
    let host = url.parse::<Uri>().ok().and_then(|uri| uri.host().map(str::to_owned));
    host.is_some_and(|host| {
        let address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
        host == "localhost" || address.is_ok_and(|address| address.is_loopback())
    })
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::net::TcpListener;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::control::Silent;

    /// Serves `sent` of 1000 bytes to one client, and keeps the connection open.
    fn server(sent: usize) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/weights.pt", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let lines = BufReader::new(stream.try_clone().unwrap()).lines();
            // To the end of the request's head.
            _ = lines.map_while(Result::ok).take_while(|line| !line.is_empty()).count();
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n").unwrap();
            stream.write_all(&vec![7; sent]).unwrap();
            std::thread::sleep(Duration::from_secs(30));
        });
        url
    }

    #[test]
    fn a_silent_server_is_left_and_what_it_sent_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let part = folder.path().join("weights.part");
        let Err(Failure::Source(said)) = fetch(&server(400), &part, Duration::from_millis(300), &Silent) else {
            panic!("a transfer of 400 of 1000 bytes is not complete");
        };
        assert!(said.contains("400 of 1000"), "{said}");
        assert_eq!(std::fs::read(&part).unwrap().len(), 400);
    }

    /// Stops when it is asked for the second time.
    struct Second(AtomicUsize);

    impl Control for Second {
        fn cancelled(&self) -> bool {
            self.0.fetch_add(1, Ordering::SeqCst) > 0
        }
    }

    #[test]
    fn a_transfer_is_cancelled_between_reads() {
        let folder = tempfile::tempdir().unwrap();
        let part = folder.path().join("weights.part");
        let stopped = fetch(&server(400), &part, Duration::from_secs(10), &Second(0.into()));
        assert!(matches!(stopped, Err(Failure::Here(Error::Stopped { .. }))));
        assert!(!std::fs::read(&part).unwrap().is_empty());
    }

    #[test]
    fn what_others_could_change_on_the_way_is_not_fetched() {
        let part = std::path::PathBuf::from("never.part");
        let Err(Failure::Source(said)) = fetch("http://example.org/a.pt", &part, Duration::from_secs(1), &Silent)
        else {
            panic!("it is not HTTPS");
        };
        assert!(said.contains("is not HTTPS") && said.contains(INSECURE_VARIABLE), "{said}");
        for local in ["http://127.0.0.1:80/a", "http://localhost/a", "http://[::1]:8080/a"] {
            assert!(is_local(local), "{local}");
        }
        for other in ["http://127.0.0.1.example.org/a", "http://localhost.example.org/a", "http://10.0.0.1/a", ""] {
            assert!(!is_local(other), "{other}");
        }
    }

    /// The device that is always full.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_no_fault_of_the_server() {
        let full = Path::new("/dev/full");
        let failed = fetch(&server(1000), full, Duration::from_secs(10), &Silent);
        assert!(matches!(failed, Err(Failure::Here(Error::Unwritable { .. }))));
    }
}
