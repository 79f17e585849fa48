//! Fetching published weights, resumed where a transfer broke off.

use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ureq::http::{StatusCode, header};

use super::Known;
use super::folder::{Examine, Installed, ModelFolder, ModelRecord, Transferred, hash};
use crate::error::{Error, Result};

/// How long a server may be silent before it answers.
const PATIENCE: Duration = Duration::from_secs(60);

/// Fetches published weights into the folder. A transfer that broke off goes on where it stopped; nothing is installed that is
/// incomplete, damaged or no checkpoint. The first complete file's SHA-256 is recorded, where none is published.
///
/// # Errors
/// Places that do not answer or send something else, and folders that cannot be written.
pub fn pull(folder: &ModelFolder, known: &Known, examine: Examine, progress: &mut Transferred) -> Result<Installed> {
    folder.check_free(&known.name)?;
    let staged = folder.staging()?;
    // Outside the staging folder, so that it survives an interruption.
    let part = folder.root().join(format!(".{}.part", known.name));
    let mut last = None;
    let source = known.urls.iter().find(|url| match fetch(url, &part, progress) {
        Ok(()) => true,
        Err(error) => {
            last = Some(error);
            false
        }
    });
    let Some(source) = source else {
        let fact = last.unwrap_or_else(|| "no place is known for it".into());
        return Err(refusal(known, fact, "try again: what has arrived is kept, and the rest is fetched"));
    };
    let name = Path::new(&known.file).file_name().unwrap_or_default();
    let target = staged.path().join(name);
    std::fs::rename(&part, &target).map_err(|e| Error::Unwritable { path: target.clone(), reason: e.to_string() })?;
    let (sha256, bytes) = hash(&target, &mut std::io::sink(), &mut |_, _| {})?;
    if known.sha256.as_ref().is_some_and(|expected| !sha256.starts_with(&expected.to_lowercase())) {
        let fact = format!("{source} sent a file with SHA-256 {sha256}, which is not the published one");
        return Err(refusal(known, fact, "it was thrown away; try again, or another mirror"));
    }
    examine(&target)?;
    check_archive(&target)?;
    let record = ModelRecord {
        file: known.file.clone(),
        sha256,
        bytes,
        source: source.clone(),
        licence: Some(known.licence.clone()),
        subject: Some(known.subject),
    };
    folder.install(staged, &known.name, record)
}

fn refusal(known: &Known, fact: String, remedy: &str) -> Error {
    Error::Checkpoint { path: PathBuf::from(&known.name), fact, remedy: remedy.into() }
}

/// Fetches `url` into `part`, from where `part` ends.
fn fetch(url: &str, part: &Path, progress: &mut Transferred) -> std::result::Result<(), String> {
    let failed = |e: &dyn std::fmt::Display| format!("{url} could not be fetched ({e})");
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_connect(Some(PATIENCE))
        .timeout_recv_response(Some(PATIENCE))
        .build()
        .into();
    let have = std::fs::metadata(part).map_or(0, |metadata| metadata.len());
    let mut request = agent.get(url);
    if have > 0 {
        request = request.header(header::RANGE, format!("bytes={have}-"));
    }
    let mut response = request.call().map_err(|e| failed(&e))?;
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
    let mut options = OpenOptions::new();
    let file = options.create(true).write(true).append(resumed).truncate(!resumed).open(part);
    let mut file = file.map_err(|e| format!("{}: cannot be written ({e})", part.display()))?;
    let mut body = response.body_mut().as_reader();
    let mut buffer = vec![0; 1 << 16];
    loop {
        let broken = |e| format!("{url} broke off after {done} of {} bytes ({e})", all.unwrap_or(done));
        let count = body.read(&mut buffer).map_err(broken)?;
        if count == 0 {
            break;
        }
        file.write_all(&buffer[..count]).map_err(|e| format!("{}: cannot be written ({e})", part.display()))?;
        done += count as u64;
        progress(done, all.unwrap_or(0));
    }
    match all {
        Some(all) if done < all => Err(format!("{url} broke off after {done} of {all} bytes")),
        _ => Ok(()),
    }
}

/// Reads every entry of a zip archive, which checks their CRC-32; other forms have none.
pub(super) fn check_archive(path: &Path) -> Result<()> {
    let unreadable = |e: std::io::Error| Error::Unreadable { path: path.into(), reason: e.to_string() };
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let Ok(mut archive) = zip::ZipArchive::new(std::io::BufReader::new(file)) else { return Ok(()) };
    for i in 0..archive.len() {
        let mut entry = archive.by_index(i).map_err(|e| unreadable(std::io::Error::other(e)))?;
        std::io::copy(&mut entry, &mut std::io::sink()).map_err(|e| {
            let fact = format!("it is damaged ({e})");
            Error::Checkpoint { path: path.into(), fact, remedy: "fetch it again".into() }
        })?;
    }
    Ok(())
}
